package agent

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/sdn/effect"
)

// Direct is a connection to an agent in the same process, for a plugin that
// runs without a daemon. It serves one call.
type Direct struct {
	agent *Agent
	ctx   context.Context
	lost  *protocol.Request // ADD whose result has not been seen yet
	run   protocol.Runner   // of its call
}

// Direct makes such a connection; what is left of its call ends with ctx.
func (a *Agent) Direct(ctx context.Context) *Direct { return &Direct{agent: a, ctx: ctx} }

// Call serves the request. Its namespace stays the caller's.
func (d *Direct) Call(ctx context.Context, r protocol.Request, run protocol.Runner) (protocol.Reply, error) {
	if r.Netns != protocol.NoNetns {
		own, err := unix.FcntlInt(uintptr(r.Netns), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return protocol.Reply{}, fmt.Errorf("duplicate the namespace's descriptor: %w", err)
		}
		r.Netns = own
	}
	start := time.Now()
	d.run = run
	reply := d.agent.Handle(ctx, r, run)
	d.agent.report(r, reply, time.Since(start))
	if reply.Failure == nil {
		d.lost = &r
	}
	return reply, nil
}

// Received says that the runtime has the result.
func (d *Direct) Received() error {
	d.lost = nil
	return nil
}

// Close undoes an ADD whose result the runtime has not seen.
func (d *Direct) Close() error {
	if d.lost == nil {
		return nil
	}
	return effect.Undo("undo an ADD whose result was not printed", func() error {
		return d.agent.Undo(context.WithoutCancel(d.ctx), *d.lost, d.run)
	})
}
