package holdings

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/netns"
	"github.com/moatnet/moat/sdn"
)

// restored counts what is restored, with and without a pair.
type restored struct {
	*attached
	ports       []sdn.Port
	portsErr    error
	pairs, only int
}

func (r *restored) Ports(context.Context, sdn.DeviceID) ([]sdn.Port, error) {
	return r.ports, r.portsErr
}

func (r *restored) Restore(_ context.Context, _ ipam.Record, ns *os.File) (bool, error) {
	if ns != nil {
		r.pairs++
	} else {
		r.only++
	}
	return true, nil
}

func newRestored(t *testing.T) (*restored, *Restorer) {
	r := &restored{attached: newAttached(t)}
	r.rec.Port = "p"
	return r, &Restorer{Store: r, Ports: r, Maker: r, Node: "n", Pods: Pods{BootID: "boot"}, Log: slog.New(slog.DiscardHandler)}
}

// cut takes the pair away, and leaves the pod.
func (r *restored) cut() {
	require.NoError(r.t, netns.Remove(r.t.Context(), r.rec.HostNS, r.rec.HostName, r.rec.HostAlias))
}

func TestOfAPodIsRestoredWhatIsGone(t *testing.T) {
	port := sdn.Port{ID: "p"}
	active := sdn.Port{ID: "p", Active: true}
	for name, c := range map[string]struct {
		change      func(*restored)
		pairs, only int
		fails       error
	}{
		"nothing is missing":                  {func(r *restored) { r.ports = []sdn.Port{active} }, 0, 0, nil},
		"a port that is not active yet":       {func(r *restored) { r.ports = []sdn.Port{port} }, 0, 0, nil},
		"an active port whose pair is unseen": {func(r *restored) { r.ports = []sdn.Port{active}; r.cut() }, 0, 0, nil},
		"the pair is gone":                    {func(r *restored) { r.ports = []sdn.Port{port}; r.cut() }, 1, 0, nil},
		"the port is gone":                    {func(*restored) {}, 0, 1, nil},
		"both are gone":                       {(*restored).cut, 1, 0, nil},
		"the namespace of the host end is gone, too": {func(r *restored) {
			r.cut()
			r.rec.HostNS = filepath.Join(r.t.TempDir(), "gone")
		}, 1, 0, nil},
		"the bridge is gone":         {func(r *restored) { r.cut(); r.portsErr = sdn.ErrNotFound }, 0, 0, nil},
		"the SDN does not answer":    {func(r *restored) { r.cut(); r.portsErr = sdn.ErrUnavailable }, 0, 0, sdn.ErrUnavailable},
		"etcd does not answer":       {func(r *restored) { r.cut(); r.listErr = ipam.ErrUnavailable }, 0, 0, ipam.ErrUnavailable},
		"it is being made":           {func(r *restored) { r.cut(); r.rec.State = ipam.Adding }, 0, 0, nil},
		"the pod is another":         {func(r *restored) { r.cut(); r.rec.PodInode++ }, 0, 0, nil},
		"the pod was never seen":     {func(r *restored) { r.cut(); r.rec.PodInode = 0 }, 0, 0, nil},
		"the pod is of another boot": {func(r *restored) { r.cut(); r.rec.BootID = "older" }, 0, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, restorer := newRestored(t)
			c.change(r)
			err := restorer.Sweep(t.Context())
			require.True(t, errors.Is(err, c.fails), "%v", err)
			require.Equal(t, []int{c.pairs, c.only}, []int{r.pairs, r.only}, "with and without a pair")
		})
	}
}
