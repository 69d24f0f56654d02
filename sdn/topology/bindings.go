package topology

import (
	"context"

	"github.com/moatnet/moat/sdn"
)

func bindKey(h sdn.HostID, iface string) key { return key{kindBind, string(h) + "/" + iface} }

// Bindings implements sdn.API.
func (t *Topology) Bindings(ctx context.Context, host sdn.HostID) ([]sdn.Binding, error) {
	return read(ctx, t, func(g *graph) ([]sdn.Binding, error) {
		if !g.has(sdn.KindHost, string(host)) {
			return nil, missing(sdn.KindHost, host)
		}
		return g.bindings(host), nil
	})
}

// Bind implements sdn.API.
func (t *Topology) Bind(ctx context.Context, b sdn.Binding) error {
	if err := validBinding(b); err != nil {
		return err
	}
	_, err := t.write(ctx, func(x *txn) error { return x.bind(b) })
	return err
}

// Unbind implements sdn.API.
func (t *Topology) Unbind(ctx context.Context, port sdn.PortID) error {
	_, err := t.write(ctx, func(x *txn) error {
		p, err := look[sdn.Port](x, sdn.KindPort, port)
		if err != nil || p.Host == "" {
			return err
		}
		x.remove(bindKey(p.Host, p.Interface))
		p.Host, p.Interface = "", ""
		x.put(key{sdn.KindPort, string(port)}, p)
		return nil
	})
	return err
}

// bind checks in the order of the API's contract, section 3.10.
func (x *txn) bind(b sdn.Binding) error {
	if err := x.hostReady(b.Host); err != nil {
		return err
	}
	p, err := look[sdn.Port](x, sdn.KindPort, b.Port)
	if err != nil {
		return err
	}
	if p.Host != "" {
		return refuse(sdn.ErrConflict, "Port %s is already bound to interface %s of host %s.", p.ID, p.Interface, p.Host)
	}
	if err := x.claim(b); err != nil {
		return err
	}
	p.Host, p.Interface = b.Host, b.Interface
	x.put(key{sdn.KindPort, string(p.ID)}, p)
	if p.Kind == sdn.BridgePort {
		return x.settle(sdn.BridgeID(p.Device), sdn.Home{Device: p.Device})
	}
	return x.unself(p)
}

// hostReady needs a host that can carry a binding.
func (x *txn) hostReady(id sdn.HostID) error {
	h, err := look[sdn.Host](x, sdn.KindHost, id)
	if err != nil {
		return err
	}
	zones := referrers[string](x.graph, hostOfMember, id)
	if len(zones) == 0 {
		return refuse(sdn.ErrConflict, "The specified host is not in any tunnel zone.")
	}
	x.rely(key{kindMember, zones[0]})
	if !x.deadHosts && !x.graph.overlay.isAlive(id) {
		return refuse(sdn.ErrConflict, "No engine is running on host %s (%s).", id, h.Name)
	}
	return nil
}

// claim takes the interface's name on the host.
func (x *txn) claim(b sdn.Binding) error {
	k := bindKey(b.Host, b.Interface)
	x.rely(k)
	if held, ok := x.graph.facts[k].body.(string); ok {
		if !x.graph.has(sdn.KindPort, held) {
			return errUnfinished
		}
		return refuse(sdn.ErrConflict, "Interface %s of host %s is already bound to port %s.", b.Interface, b.Host, held)
	}
	x.put(k, string(b.Port))
	return nil
}
