package node

import (
	"context"
	"sync/atomic"

	"github.com/moatnet/moat/cmd/moat/internal/control"
)

// agentDaemon is a running `moat agent`, as its operator sees it.
type agentDaemon struct {
	direct
	ready atomic.Bool
}

// Status implements control.Operations.
func (d *agentDaemon) Status(ctx context.Context) (control.Status, error) {
	st, err := d.direct.Status(ctx)
	if err == nil && !d.ready.Load() {
		st.Ready, st.Reason = false, "starting"
	}
	return st, err
}
