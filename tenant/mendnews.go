package tenant

import (
	"context"

	"github.com/moatnet/moat/sdn"
)

// follow wakes the mender when something is deleted that may be a network's.
func (m *mender) follow(ctx context.Context, wake chan<- struct{}) {
	err := m.opt.Source.Follow(ctx, func(changes []sdn.Change) {
		for _, c := range changes {
			if !damages(c) {
				continue
			}
			select {
			case wake <- struct{}{}:
			default:
			}
			return
		}
	})
	if ctx.Err() == nil {
		m.log.Warn("deletions in the SDN are not heard of any more, only looked for", "error", err)
	}
}

// damages says whether a change may be one of a network that is not to be. Ports
// of pods come and go with them.
func damages(c sdn.Change) bool {
	switch was := c.Before.(type) {
	case sdn.Router, sdn.Bridge, sdn.Chain, sdn.Rule, sdn.Route:
		return c.After == nil || filtersChanged(c)
	case sdn.Port:
		now, there := c.After.(sdn.Port)
		return !there && was.Kind == sdn.RouterPort || was.Peer != "" && now.Peer != was.Peer || there && was.Host != "" && now.Host == ""
	}
	return false
}

func filtersChanged(c sdn.Change) bool {
	was, _ := c.Before.(sdn.Router)
	now, ok := c.After.(sdn.Router)
	return ok && (was.InboundFilter != now.InboundFilter || was.OutboundFilter != now.OutboundFilter)
}
