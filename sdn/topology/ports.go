package topology

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/moatnet/moat/sdn"
)

// Ports implements sdn.API.
func (t *Topology) Ports(ctx context.Context, device sdn.DeviceID) ([]sdn.Port, error) {
	return read(ctx, t, func(g *graph) ([]sdn.Port, error) {
		if device == "" {
			return fetch(g.Port, all[sdn.PortID](g, sdn.KindPort)), nil
		}
		return g.PortsOf(device), g.needDevice(device)
	})
}

// PeerPorts implements sdn.API.
func (t *Topology) PeerPorts(ctx context.Context, device sdn.DeviceID) ([]sdn.Port, error) {
	return read(ctx, t, func(g *graph) ([]sdn.Port, error) {
		var peers []sdn.PortID
		for _, p := range g.PortsOf(device) {
			if p.Peer != "" {
				peers = append(peers, p.Peer)
			}
		}
		slices.Sort(peers)
		return fetch(g.Port, peers), g.needDevice(device)
	})
}

func (g *graph) needDevice(id sdn.DeviceID) error {
	if g.has(sdn.KindRouter, string(id)) || g.has(sdn.KindBridge, string(id)) {
		return nil
	}
	return refuse(sdn.ErrNotFound, "There is no device with ID %s.", id)
}

// Port implements sdn.API.
func (t *Topology) Port(ctx context.Context, id sdn.PortID) (sdn.Port, error) {
	return one(ctx, t, sdn.KindPort, id, func(g *graph) (sdn.Port, bool) { return g.Port(id) })
}

// CreatePort implements sdn.API: one transaction, also for a bound port. A
// router port without a MAC gets a random one of MidoNet's vendor ac:ca:ba.
func (t *Topology) CreatePort(ctx context.Context, p sdn.Port) (sdn.Port, error) {
	if err := completePort(&p); err != nil {
		return sdn.Port{}, err
	}
	var made sdn.Port
	rev, err := t.write(ctx, func(x *txn) error {
		err := x.createPort(p)
		made, _ = x.writes[key{sdn.KindPort, string(p.ID)}].body.(sdn.Port)
		return err
	})
	made.TunnelKey = rev
	return result(made, err)
}

func completePort(p *sdn.Port) error {
	if err := validPort(p); err != nil {
		return err
	}
	if p.Kind == sdn.RouterPort && p.MAC == "" {
		p.MAC = randomMAC()
	}
	return nil
}

func (x *txn) createPort(p sdn.Port) error {
	host, iface, peer := p.Host, p.Interface, p.Peer
	p.Host, p.Interface, p.Peer, p.Active = "", "", "", false
	if err := x.device(p.Kind, p.Device); err != nil {
		return err
	}
	if err := x.create(sdn.KindPort, string(p.ID), p); err != nil {
		return err
	}
	if err := x.filters([]sdn.ChainID{p.InboundFilter, p.OutboundFilter}, nil); err != nil {
		return err
	}
	if p.Kind == sdn.RouterPort {
		local := localRoute(p)
		if err := x.create(sdn.KindRoute, string(local.ID), local); err != nil {
			return err
		}
	}
	return x.attach(p.ID, host, iface, peer)
}

// device needs the device of a port of some kind.
func (x *txn) device(kind sdn.PortKind, id sdn.DeviceID) error {
	want, other, text := sdn.KindRouter, sdn.KindBridge, "Not a bridge port."
	if kind == sdn.BridgePort {
		want, other, text = sdn.KindBridge, sdn.KindRouter, "Not a router port."
	}
	if x.graph.has(other, string(id)) {
		return refuse(sdn.ErrInvalid, "%s", text)
	}
	return need(x, want, id)
}

// attach binds and links a port that is written, as far as asked for.
func (x *txn) attach(id sdn.PortID, host sdn.HostID, iface string, peer sdn.PortID) error {
	if host != "" {
		if err := x.bind(sdn.Binding{Host: host, Port: id, Interface: iface}); err != nil {
			return err
		}
	}
	if peer != "" {
		return x.link(id, peer)
	}
	return nil
}

// UpdatePort implements sdn.API. A port that is not bound, or not linked, is
// by an update that names a host or a peer.
func (t *Topology) UpdatePort(ctx context.Context, p sdn.Port) error {
	_, err := t.write(ctx, func(x *txn) error {
		old, err := look[sdn.Port](x, sdn.KindPort, p.ID)
		if err != nil {
			return err
		}
		n := p
		n.Kind, n.Device = old.Kind, old.Device
		if old.Host != "" {
			n.Host, n.Interface = old.Host, old.Interface
		}
		if err := validPort(&n); err != nil {
			return err
		}
		host, iface, peer := n.Host, n.Interface, n.Peer
		n.Host, n.Interface, n.Peer = old.Host, old.Interface, old.Peer
		x.put(key{sdn.KindPort, string(n.ID)}, n)
		if old.Host != "" {
			host = ""
		}
		if old.Peer != "" {
			peer = ""
		}
		if err := x.filters([]sdn.ChainID{n.InboundFilter, n.OutboundFilter}, []sdn.ChainID{old.InboundFilter, old.OutboundFilter}); err != nil {
			return err
		}
		return x.attach(n.ID, host, iface, peer)
	})
	return err
}

// DeletePort implements sdn.API. A bridge port goes in one transaction; a
// router port is marked first, for the routes that lead through it, and so is a
// port with memberships or MAC entries.
func (t *Topology) DeletePort(ctx context.Context, id sdn.PortID) error {
	marked := false
	_, err := t.write(ctx, func(x *txn) error {
		p, err := look[sdn.Port](x, sdn.KindPort, id)
		if err != nil {
			return err
		}
		if marked = p.Kind == sdn.RouterPort || x.listed(id); marked {
			x.mark(sdn.KindPort, string(id))
			return nil
		}
		if err := x.unlink(p); err != nil {
			return err
		}
		if p.Host != "" {
			x.remove(bindKey(p.Host, p.Interface))
		}
		x.remove(key{sdn.KindPort, string(id)})
		return nil
	})
	if err == nil && marked {
		t.erased(ctx, key{sdn.KindPort, string(id)})
	}
	return err
}

// listed says that groups or MAC tables name a port. Who makes them do so pins
// the port.
func (x *txn) listed(id sdn.PortID) bool {
	return x.graph.stored[edge{portOfGroupPort, string(id)}].len() > 0 || x.graph.stored[edge{portOfMAC, string(id)}].len() > 0
}

// localRoute is the route that makes a router answer at its port's address.
// Its ID follows from the port's, so that nothing is made twice.
func localRoute(p sdn.Port) sdn.Route {
	a := p.Address.Addr()
	return sdn.Route{
		ID:          sdn.RouteID(uuid.NewSHA1(uuid.MustParse(string(p.ID)), []byte("local route "+a.String())).String()),
		Router:      sdn.RouterID(p.Device),
		Type:        sdn.RouteLocal,
		Src:         netip.PrefixFrom(netip.IPv4Unspecified(), 0),
		Dst:         netip.PrefixFrom(a, a.BitLen()),
		NextHopPort: p.ID,
	}
}

// randomMAC is a MAC with MidoNet's vendor prefix.
func randomMAC() string {
	return "ac:ca:ba:" + strings.Join(pairs(uuid.NewString()[:6]), ":")
}

func pairs(s string) []string { return []string{s[0:2], s[2:4], s[4:6]} }
