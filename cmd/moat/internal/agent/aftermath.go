package agent

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/moatnet/moat/ipam/queue"
)

const (
	// undoTime is how long a failed ADD may take to undo what it did, once nobody
	// waits for its answer.
	undoTime = 10 * time.Second
	// lastMoment is how long a call whose time is over may go on undoing before it
	// answers.
	lastMoment = 100 * time.Millisecond
)

// aftermath is what failed calls could not undo while their caller waited. It is done
// when the caller has its answer; until then nobody else has the attachment's turn.
type aftermath []func(context.Context)

// run does it, one after the other.
func (a aftermath) run(ctx context.Context) {
	for _, undo := range a {
		undo(ctx)
	}
}

// hold is a call's turn at an attachment. What is left to undo may keep it beyond the
// answer, so that no later call overtakes it.
type hold struct {
	leave queue.Leave
	kept  bool
}

// end ends the turn, unless what is left to undo does.
func (h *hold) end(err *error) {
	if !h.kept {
		h.leave(err)
	}
}

// takeBack undoes what a failed ADD did: now, as far as the caller's time goes, and
// else after the answer. What fails even so stays recorded, for DEL, GC, the next ADD
// and who looks through the records.
func (c *call) takeBack(ctx context.Context, h *hold, undo func(context.Context) error) {
	now, cancel := awaited(ctx)
	defer cancel()
	err := now.Err()
	if err == nil {
		err = undo(now)
	}
	switch {
	case err == nil:
		return
	case now.Err() == nil:
		c.notUndone(err)
		return
	}
	h.kept = true
	*c.left = append(*c.left, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, undoTime)
		defer cancel()
		var err error
		defer h.leave(&err)
		defer c.survive()
		if err = undo(ctx); err != nil {
			c.notUndone(err)
		}
	})
}

// survive keeps a defect from ending the daemon.
func (c *call) survive() {
	if p := recover(); p != nil {
		c.agent.log.Error("panic after a CNI call", "call", c.request.Env.Subject(), "panic", p, "stack", string(debug.Stack()))
	}
}

func (c *call) notUndone(err error) {
	c.agent.log.Warn("what a failed ADD did was not undone in full; it is tried again later", "call", c.request.Env.Subject(), "error", err)
}

// awaited is for undoing before the answer: until shortly after the call's time, or,
// when the caller is gone, as long as undoing takes anywhere.
func awaited(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := undoTime
	if end, has := ctx.Deadline(); has && !errors.Is(context.Cause(ctx), errClientGone) {
		limit = min(time.Until(end)+lastMoment, undoTime)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}
