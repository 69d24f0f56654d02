package agent

import (
	"context"
	"sync"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
)

// turns knows which ADD of an interface came last, of those whose plugins are
// still connected. An ADD whose result was lost may be undone only while no other
// came after it: the other's result, which the runtime has, is the same interface.
type turns struct {
	mu   sync.Mutex
	last map[turnKey]*turn
}

type turnKey struct{ caller, container, ifName string }

// turn is one ADD under way; nil is another call, which nothing is undone of.
type turn struct {
	key    turnKey
	undone chan struct{} // once its undoing has begun; closed at its end
}

// begin enters a call. An ADD waits for the end of an undoing that has begun.
func (t *turns) begin(ctx context.Context, r protocol.Request) *turn {
	if r.Env.Command != cniconf.Add {
		return nil
	}
	own := &turn{key: turnKey{r.Caller, r.Env.ContainerID, r.Env.IfName}}
	t.mu.Lock()
	var undone chan struct{}
	if before := t.last[own.key]; before != nil {
		undone = before.undone
	}
	if t.last == nil {
		t.last = map[turnKey]*turn{}
	}
	t.last[own.key] = own
	t.mu.Unlock()
	if undone != nil {
		select {
		case <-undone:
		case <-ctx.Done():
		}
	}
	return own
}

// undo calls f unless another ADD came after own.
func (t *turns) undo(own *turn, f func()) {
	if own == nil {
		return
	}
	t.mu.Lock()
	if t.last[own.key] != own {
		t.mu.Unlock()
		return
	}
	own.undone = make(chan struct{})
	t.mu.Unlock()
	defer close(own.undone)
	f()
}

// end forgets a call.
func (t *turns) end(own *turn) {
	if own == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last[own.key] == own {
		delete(t.last, own.key)
	}
}
