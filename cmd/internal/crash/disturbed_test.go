package crash

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// patience is how long an operation may take to come to a point, or to its end.
const patience = 2 * time.Minute

// comesTo waits for the point that the gate waits for.
func (h *host) comesTo(at place) string {
	h.t.Helper()
	select {
	case point := <-h.gate.fired:
		return point
	case <-time.After(patience):
		require.FailNow(h.t, "it does not come to the point", "%+v", at)
		return ""
	}
}

// killedAfter is killedIn for a point that may come behind the operation's end.
func (h *host) killedAfter(at place, op func() error) string {
	h.t.Helper()
	h.gate.arm(at, killed)
	ended := make(chan error, 1)
	go func() { ended <- op() }()
	point := h.comesTo(at)
	require.NoError(h.t, h.daemon.Kill())
	<-ended // what it says does not matter: it may have been done or not
	h.gate.disarm()
	require.NoError(h.t, h.daemon.Start(h.t.Context()), "start after %s", point)
	return point
}

// failsAt runs op with a point that fails. It returns "" when op did not come to it,
// and the answer of op.
func (h *host) failsAt(at place, op func() error) (point string, err error) {
	h.t.Helper()
	h.gate.arm(at, failed)
	ended := make(chan error, 1)
	go func() { ended <- op() }()
	select {
	case err = <-ended:
	case <-time.After(patience):
		require.FailNow(h.t, "it does not end", "%+v fails", at)
	}
	select {
	case point = <-h.gate.fired:
	default:
	}
	h.gate.disarm()
	if point == "" {
		require.NoError(h.t, err, "undisturbed, without %+v", at)
	}
	return point, err
}

// addAgain is what a runtime does: it repeats ADD.
func (h *host) addAgain(p *lab.Pod) {
	h.t.Helper()
	var err error
	for range 5 {
		if err = h.runtime().Add(h.t.Context(), p); err == nil {
			return
		}
	}
	require.NoError(h.t, err)
}

// addWithin repeats ADD until it succeeds, for some time.
func (h *host) addWithin(p *lab.Pod, limit time.Duration) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), limit)
	defer cancel()
	err := h.runtime().Add(ctx, p)
	for err != nil && ctx.Err() == nil {
		err = h.runtime().Add(ctx, p)
	}
	require.NoError(h.t, err)
}

// addConfirmed is add, and waits until nothing of it is left to be written.
func (h *host) addConfirmed(p *lab.Pod) {
	h.t.Helper()
	h.add(p)
	require.Eventually(h.t, func() bool {
		res, err := h.place.Etcd.Get(h.t.Context(), "/moat/ipam/v1/attachments/", clientv3.WithPrefix())
		return err == nil && !slices.ContainsFunc(res.Kvs, func(kv *mvccpb.KeyValue) bool { return strings.Contains(string(kv.Value), `"state":"adding"`) })
	}, patience, lookEvery, "attachments stay unconfirmed")
}
