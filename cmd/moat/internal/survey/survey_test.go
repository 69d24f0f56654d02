package survey

import (
	"context"
	"io/fs"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/cmd/moat/internal/holdings"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/audit"
	"github.com/moatnet/moat/netns"
	"github.com/moatnet/moat/sdn"
)

// topology answers with the ports of a test.
type topology struct {
	ports []sdn.Port
	err   error
}

func (s topology) Ports(context.Context, sdn.DeviceID) ([]sdn.Port, error) { return s.ports, s.err }

func (s topology) Port(_ context.Context, id sdn.PortID) (sdn.Port, error) {
	for _, p := range s.ports {
		if p.ID == id {
			return p, nil
		}
	}
	return sdn.Port{}, sdn.ErrNotFound
}

func TestWhatCannotBeLookedAtIsAnError(t *testing.T) {
	_, err := Survey{Ports: topology{err: sdn.ErrUnavailable}}.Facts(t.Context(), ipam.Snapshot{})
	require.ErrorIs(t, err, sdn.ErrUnavailable)
	file := t.TempDir() + "/file"
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Survey{Ports: topology{}, Node: &Node{NetnsDir: file}}.Facts(t.Context(), ipam.Snapshot{})
	require.ErrorContains(t, err, "list the engine's namespaces")
}

func TestOnlyPortsOfMoatsFormAreOfPods(t *testing.T) {
	own := sdn.PortID(uuid.NewSHA1(uuid.New(), nil).String())
	random := sdn.PortID(uuid.NewString())
	good := sdn.Port{ID: own, Kind: sdn.BridgePort, Host: "h", Interface: sdn.InterfaceName(own)}
	for name, c := range map[string]struct {
		change func(*sdn.Port)
		want   bool
	}{
		"a pod's":                   {func(*sdn.Port) {}, true},
		"of a router":               {func(p *sdn.Port) { p.Kind = sdn.RouterPort }, false},
		"not bound":                 {func(p *sdn.Port) { p.Host, p.Interface = "", "" }, false},
		"another interface":         {func(p *sdn.Port) { p.Interface = "tap0" }, false},
		"with an ID made by chance": {func(p *sdn.Port) { p.ID, p.Interface = random, sdn.InterfaceName(random) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := good
			c.change(&p)
			f, err := Survey{Ports: topology{ports: []sdn.Port{p}}}.Facts(t.Context(), ipam.Snapshot{})
			require.NoError(t, err)
			require.Equal(t, c.want, f.Ports[string(p.ID)].Pod)
			require.Nil(t, f.Node)
		})
	}
}

// stage is a node with a router's namespace and a pod that is plugged into it.
type stage struct {
	*Node
	router, pod *lab.Namespace
	rec         ipam.Record
	made        netns.Made
}

func newStage(t *testing.T) *stage {
	l, err := lab.New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	s := &stage{Node: &Node{Name: "n", Installation: "i", NetnsDir: t.TempDir(), Orphan: holdings.Orphan{Pods: holdings.Pods{BootID: "boot"}, Ports: topology{}}}}
	s.router, err = l.Namespace("router")
	require.NoError(t, err)
	s.pod, err = l.Namespace("pod")
	require.NoError(t, err)
	var st syscall.Stat_t
	require.NoError(t, syscall.Stat(s.pod.Path, &st))
	s.rec = ipam.Record{Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: "c", IfName: "eth0"}, State: ipam.Added,
		Port: "p1", HostNS: s.router.Path, HostName: "moatp1", HostAlias: sdn.Stamp("i", "port", "p1"),
		PodNetns: s.pod.Path, PodInode: st.Ino, BootID: "boot"}
	s.plug(t)
	return s
}

func (s *stage) plug(t *testing.T) {
	file, err := os.Open(s.pod.Path)
	require.NoError(t, err)
	defer file.Close()
	s.made, err = netns.Make(t.Context(), netns.Veth{HostNS: s.rec.HostNS, HostName: s.rec.HostName, HostAlias: s.rec.HostAlias,
		PodNS: file, PodName: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.2/24")}})
	require.NoError(t, err)
}

func (s *stage) unplug(t *testing.T) {
	require.NoError(t, netns.Remove(t.Context(), s.rec.HostNS, s.rec.HostName, s.rec.HostAlias))
}

func (s *stage) look(t *testing.T, hs ...ipam.Holding) *audit.Node {
	t.Helper()
	f, err := Survey{Ports: topology{}, Node: s.Node}.Facts(t.Context(), ipam.Snapshot{Attachments: []ipam.Record{s.rec}, Holdings: hs})
	require.NoError(t, err)
	return f.Node
}

func TestANodeSeesItsPods(t *testing.T) {
	s := newStage(t)
	seen := s.look(t)
	require.Equal(t, audit.End{Namespace: s.router.Path, Name: "moatp1", MAC: s.made.HostMAC.String()}, seen.Ends["p1"])
	pod := seen.Pods[s.rec.Attachment]
	require.Equal(t, audit.Living, pod.Life)
	require.True(t, pod.Looked)
	require.Equal(t, s.made.PodMAC.String(), pod.End.MAC)
	require.Contains(t, pod.End.Addresses, netip.MustParsePrefix("10.9.0.2/24"))
	require.False(t, seen.Blind)

	s.unplug(t)
	seen = s.look(t)
	require.Empty(t, seen.Ends)
	require.Equal(t, audit.Pod{Life: audit.Living, Looked: true}, seen.Pods[s.rec.Attachment])

	s.rec.PodInode++ // another namespace is at the path
	require.Equal(t, audit.Pod{Life: audit.Gone}, s.look(t).Pods[s.rec.Attachment])
	s.plug(t) // but the pair leads to one that lives
	require.Equal(t, audit.Pod{Life: audit.Unknown}, s.look(t).Pods[s.rec.Attachment])
}

// An engine's namespace of which no attachment speaks is looked at too.
func TestLooseEndsAreSeen(t *testing.T) {
	s := newStage(t)
	require.NoError(t, os.Symlink(s.router.Path, s.NetnsDir+"/moat-router"))
	require.NoError(t, os.WriteFile(s.NetnsDir+"/moat-none", nil, 0o600))
	s.rec.HostNS = ""
	require.Contains(t, s.look(t).Ends, "p1")
}

func TestPodsOfHoldings(t *testing.T) {
	s := newStage(t)
	h := ipam.Holding{Attachment: ipam.Attachment{Node: "n", Network: "lan", ContainerID: "c", IfName: "net1"}, PodNetns: s.rec.PodNetns,
		PodInode: s.rec.PodInode, BootID: "boot", At: time.Now()}
	gone, hidden, far := h, h, h
	gone.ContainerID, gone.PodInode = "g", h.PodInode+1
	hidden.ContainerID, hidden.PodInode = "h", 0
	far.Node = "n2"
	seen := s.look(t, h, gone, hidden, far)
	require.Equal(t, []audit.Life{audit.Living, audit.Gone, audit.Unknown, ""},
		[]audit.Life{seen.Pods[h.Attachment].Life, seen.Pods[gone.Attachment].Life, seen.Pods[hidden.Attachment].Life, seen.Pods[far.Attachment].Life})
	require.False(t, s.Gone(h))
	require.True(t, s.Gone(gone))
}

func TestOnlyAPodWithoutInterfaceIsUnplugged(t *testing.T) {
	s := newStage(t)
	f, err := s.Unplugged(t.Context(), s.rec)
	require.NoError(t, err)
	require.Nil(t, f, "it has its interface")
	s.unplug(t)
	f, err = s.Unplugged(t.Context(), s.rec)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	s.rec.PodInode++
	_, err = s.Unplugged(t.Context(), s.rec)
	require.ErrorIs(t, err, fs.ErrNotExist, "another pod's")
	s.rec.PodNetns += "-none"
	_, err = s.Unplugged(t.Context(), s.rec)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
