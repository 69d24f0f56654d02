package node

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/cmd/moat/internal/control"
)

// doors are where a daemon is called. They are taken before anything is made,
// so that a daemon whose place is taken leaves no trace.
type doors struct {
	control, agent *net.UnixListener
	rest           net.Listener // nil: this daemon has none
}

// openDoors takes the control socket first: an operator can ask a daemon from
// its first moment to its last.
func openDoors(ctx context.Context, c config.Config, rest bool) (_ *doors, err error) {
	d := &doors{}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.control, err = control.Listen(ctx, control.SocketFor(c.Socket)); err != nil {
		return nil, err
	}
	if d.agent, err = agent.Listen(ctx, c.Socket); err != nil {
		return nil, err
	}
	if rest {
		d.rest, err = listenREST(ctx, c.Listen)
	}
	return d, err
}

func listenREST(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("REST API: %w", err)
	}
	return l, nil
}

// close closes what is not closed yet.
func (d *doors) close() {
	var errs []error
	if d.control != nil {
		errs = append(errs, d.control.Close())
	}
	if d.agent != nil {
		errs = append(errs, d.agent.Close())
	}
	if d.rest != nil {
		errs = append(errs, d.rest.Close())
	}
	_ = errors.Join(errs...) // those that were served are closed already
}
