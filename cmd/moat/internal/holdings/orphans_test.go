package holdings

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/netns"
	"github.com/moatnet/moat/sdn"
)

// attached is a pod with a real pair, and what is said of its port.
type attached struct {
	t         *testing.T
	host, pod *lab.Namespace
	rec       ipam.Record
	port      sdn.Port
	portErr   error
	listErr   error
	detached  int
	*Orphans
}

func newAttached(t *testing.T) *attached {
	l, err := lab.New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	a := &attached{t: t}
	a.host, err = l.Namespace("host")
	require.NoError(t, err)
	a.pod, err = l.Namespace("pod")
	require.NoError(t, err)
	file, err := os.Open(a.pod.Path)
	require.NoError(t, err)
	defer file.Close()
	v := netns.Veth{HostNS: a.host.Path, HostName: "moat1", HostAlias: "moat:i:port:1", PodNS: file, PodName: "eth0"}
	_, err = netns.Make(t.Context(), v)
	require.NoError(t, err)
	a.rec = ipam.Record{State: ipam.Added, Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: "c", IfName: "eth0"},
		HostNS: v.HostNS, HostName: v.HostName, HostAlias: v.HostAlias, PodNetns: a.pod.Path, PodInode: a.inode(), BootID: "boot", Revision: 1}
	a.portErr = sdn.ErrNotFound
	a.Orphans = &Orphans{Store: a, Detach: a, Node: "n", Log: slog.New(slog.DiscardHandler),
		Orphan: Orphan{Pods: Pods{BootID: "boot"}, Ports: a}}
	return a
}

func (a *attached) inode() uint64 {
	var st syscall.Stat_t
	require.NoError(a.t, syscall.Stat(a.pod.Path, &st))
	return st.Ino
}

func (a *attached) Port(context.Context, sdn.PortID) (sdn.Port, error) { return a.port, a.portErr }

func (a *attached) Attachments(context.Context, string, string) ([]ipam.Record, error) {
	return []ipam.Record{a.rec}, a.listErr
}

func (a *attached) DetachIf(ctx context.Context, rec ipam.Record, gone func(context.Context, ipam.Record) (bool, error)) (bool, error) {
	yes, err := gone(ctx, rec)
	if yes && err == nil {
		a.detached++
	}
	return yes, err
}

// after is how many times it was detached in some sweeps.
func (a *attached) after(sweeps int) int {
	a.detached = 0
	for range sweeps {
		_ = a.Sweep(a.t.Context()) // what it cannot tell is an error
	}
	return a.detached
}

func TestALivingPodIsNotDetached(t *testing.T) {
	require.Zero(t, newAttached(t).after(3))
}

func TestAPodThatIsGoneIsDetached(t *testing.T) {
	a := newAttached(t)
	require.NoError(t, a.pod.Remove())
	require.Eventually(t, func() bool { // the kernel removes pairs of namespaces that end in its own time
		ends, err := netns.Ends(t.Context(), a.rec.HostNS, a.rec.HostAlias)
		return err == nil && len(ends) == 0
	}, 2*time.Minute, 10*time.Millisecond)
	require.Zero(t, a.after(1), "once is no proof")
	require.Equal(t, 1, a.after(1))
}

func TestOfAnAttachmentNothingIsProven(t *testing.T) {
	for name, change := range map[string]func(a *attached){
		"its pair leads to a namespace that is not at the path": func(a *attached) { a.rec.PodInode++ },
		"it is being made":         func(a *attached) { a.unplug(); a.rec.State = ipam.Adding },
		"its port is active":       func(a *attached) { a.unplug(); a.port.Active, a.portErr = true, nil },
		"the SDN does not answer":  func(a *attached) { a.unplug(); a.portErr = sdn.ErrUnavailable },
		"etcd does not answer":     func(a *attached) { a.unplug(); a.listErr = ipam.ErrUnavailable },
		"it was never seen here":   func(a *attached) { a.unplug(); a.rec.PodInode = 0 },
		"it changed between looks": func(a *attached) { a.unplug(); a.Store = changing{a} },
		"what is the pair's namespace is none": func(a *attached) {
			a.rec.PodInode++
			a.rec.HostNS = a.t.TempDir() + "/none/" // cannot be opened, and not as it is gone
			require.NoError(a.t, os.WriteFile(a.rec.HostNS[:len(a.rec.HostNS)-1], nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttached(t)
			change(a)
			require.Zero(t, a.after(3))
		})
	}
}

// unplug takes pair and namespace away as far as the proof goes.
func (a *attached) unplug() {
	a.rec.PodInode++
	require.NoError(a.t, netns.Remove(a.t.Context(), a.rec.HostNS, a.rec.HostName, a.rec.HostAlias))
}

// changing is a store whose record is another at each look.
type changing struct{ of *attached }

func (c changing) Attachments(context.Context, string, string) ([]ipam.Record, error) {
	c.of.rec.Revision++
	return []ipam.Record{c.of.rec}, nil
}

func TestErrorsOfTheProofAreSaid(t *testing.T) {
	a := newAttached(t)
	a.unplug()
	a.portErr = errors.New("no route")
	require.ErrorContains(t, a.Sweep(t.Context()), "attachment m/c/eth0: no route")
}

func TestNothingIsDetachedWhileTheClusterDoesNotAnswer(t *testing.T) {
	a := newAttached(t)
	require.NoError(t, a.pod.Remove())
	a.Cluster = fakeCluster{err: errors.New("the API server is away")}
	require.Eventually(t, func() bool {
		err := a.Sweep(t.Context())
		return err != nil && strings.Contains(err.Error(), "the API server is away")
	}, 2*time.Minute, 10*time.Millisecond)
	require.Zero(t, a.after(3))
	a.Cluster = fakeCluster{}
	require.Equal(t, 1, a.after(1))
}
