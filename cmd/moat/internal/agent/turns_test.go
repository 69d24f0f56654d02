package agent_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
)

// hanging is a plugin that has the result of its ADD and does not say so.
func hanging(t *testing.T, n *node) *protocol.Client {
	c, err := protocol.Dial(n.socket, time.Minute)
	require.NoError(t, err)
	vars := n.env(nil)
	env, failure := cniconf.ReadEnv(func(k string) string { return vars[k] })
	require.Nil(t, failure)
	reply, err := c.Call(t.Context(), protocol.Request{Caller: protocol.CallerCNI, Env: env, Config: n.conf(nil), Timeout: time.Minute, Netns: int(n.pod.Fd())}, nil)
	require.NoError(t, err)
	require.Nil(t, reply.Failure)
	return c
}

// A plugin that hangs with its result is killed when the runtime has the result
// of a second try: the pod keeps its interface.
func TestLostResultDoesNotUndoALaterAdd(t *testing.T) {
	n := newNode(t)
	first := hanging(t, n)
	require.Zero(t, plugin(t, "moat-cni", n.env(nil), n.conf(nil)).status)
	require.NoError(t, first.Close())
	n.stop()
	require.Empty(t, n.service.detaches())
	require.Equal(t, 1, n.service.count())
}

// An ADD that comes while an earlier one is being undone makes the interface anew
// after that.
func TestAddWaitsForTheUndoingOfAnEarlierOne(t *testing.T) {
	n := newNode(t)
	undoing, goOn := make(chan struct{}), make(chan struct{})
	n.service.beforeDetach(func() { close(undoing); <-goOn })
	require.NoError(t, hanging(t, n).Close())
	<-undoing
	done := make(chan answer, 1)
	go func() { done <- plugin(t, "moat-cni", n.env(nil), n.conf(nil)) }()
	require.Never(t, func() bool { return len(done) > 0 }, 200*time.Millisecond, 10*time.Millisecond)
	close(goOn)
	require.Zero(t, (<-done).status)
	require.Len(t, n.service.detaches(), 1)
	require.Equal(t, 1, n.service.count(), "the second interface is there")
}

// The wait is part of the ADD's time.
func TestAddThatWaitsForAnUndoingKeepsItsLimit(t *testing.T) {
	n := newNode(t)
	undoing, goOn := make(chan struct{}, 8), make(chan struct{})
	n.service.beforeDetach(func() { undoing <- struct{}{}; <-goOn })
	require.NoError(t, hanging(t, n).Close())
	<-undoing
	answered := make(chan protocol.Reply, 1)
	go func() {
		reply, c := n.hasty(t, n.env(nil), n.conf(nil), 300*time.Millisecond)
		c.Close()
		answered <- reply
	}()
	select {
	case reply := <-answered:
		require.NotNil(t, reply.Failure)
		require.EqualValues(t, 11, reply.Failure.Code, "%v", reply.Failure)
	case <-time.After(20 * time.Second):
		t.Error("it is not answered before the undoing ends")
	}
	close(goOn)
}

// Without a second try it is undone.
func TestLostResultIsUndoneOnceItsConnectionEnds(t *testing.T) {
	n := newNode(t)
	require.NoError(t, hanging(t, n).Close())
	require.Eventually(t, func() bool { return len(n.service.detaches()) == 1 }, time.Minute, time.Millisecond)
	require.Zero(t, n.service.count())
}
