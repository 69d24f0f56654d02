package tenant

import (
	"context"
	"fmt"
	"time"

	"github.com/moatnet/moat/sdn"
)

// Polling is the Engine of an SDN behind its API, whose agent picks interfaces
// up from the host's own namespace.
type Polling struct {
	API          sdn.API
	Installation string // name, for stamps
	MTU          int    // bytes
	// First is the pause after the first look at a port, 0: 2 ms; each pause is
	// twice the one before, up to Last, 0: 100 ms.
	First, Last time.Duration
}

var _ Engine = Polling{}

// Wiring implements Engine.
func (p Polling) Wiring(_ context.Context, _ sdn.BridgeID, port sdn.PortID) (sdn.Wiring, error) {
	return sdn.Wiring{
		Interface: sdn.InterfaceName(port),
		Alias:     sdn.Stamp(p.Installation, string(sdn.KindPort), string(port)),
		MTU:       p.MTU,
	}, nil
}

// WaitActive implements Engine.
func (p Polling) WaitActive(ctx context.Context, port sdn.PortID) error {
	pause, last := p.First, p.Last
	if pause == 0 {
		pause = 2 * time.Millisecond
	}
	if last == 0 {
		last = 100 * time.Millisecond
	}
	for {
		have, err := p.API.Port(ctx, port)
		if err != nil {
			return err
		}
		if have.Active {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the host's engine has not taken up interface %q: %w", have.Interface, context.Cause(ctx))
		case <-time.After(pause):
		}
		pause = min(2*pause, last)
	}
}
