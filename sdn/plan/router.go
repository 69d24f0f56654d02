package plan

import (
	"fmt"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/filter"
)

// Router plans the router's own part of its namespace: its ports that are
// linked or bound, their addresses, and its routes.
func Router(v sdn.View, c Config, id sdn.RouterID) (Namespace, error) {
	r, ok := v.Router(id)
	if !ok {
		return Namespace{}, fmt.Errorf("plan router %s: %w", id, sdn.ErrNotFound)
	}
	n := Namespace{Name: sdn.NamespaceName(sdn.DeviceID(id)), Device: sdn.DeviceID(id)}
	for _, p := range v.PortsOf(sdn.DeviceID(id)) {
		if err := CheckPort(p); err != nil {
			n.Unrealised = append(n.Unrealised, err.Error())
			continue
		}
		if l, ok := routerLink(v, c, p); ok {
			n.Links = append(n.Links, l)
		}
		if dev := sdn.PortInterface(v, p); p.Address.IsValid() && connected(c, p) {
			n.Addresses = append(n.Addresses, Address{Dev: dev, Prefix: p.Address})
		}
	}
	n.addRoutes(v, c, r)
	tables, err := filter.Router(v, c.Installation, id)
	if err != nil {
		return Namespace{}, fmt.Errorf("plan router %s: %w", id, err)
	}
	n.Tables = tables
	n.Sort()
	return n, nil
}

// connected says whether a port has a way out on this host: it is linked, or
// bound here.
func connected(c Config, p sdn.Port) bool { return p.Peer != "" || boundHere(c, p) }

func boundHere(c Config, p sdn.Port) bool { return p.Interface != "" && p.Host == c.Host }

// routerLink is the interface of a router port; false when it has none of its
// own: neither linked nor bound here, or played by a bridge's interface.
func routerLink(v sdn.View, c Config, p sdn.Port) (Link, bool) {
	switch {
	case boundHere(c, p) && c.isUplink(p):
		return Link{
			Name: p.Interface, Kind: VethLink, Port: p.ID, Alias: c.PortStamp(p.ID), MAC: portMAC(p),
			MTU: c.MTU, Up: p.AdminStateUp, PeerNamespace: "", Peer: p.Interface,
		}, true
	case boundHere(c, p):
		return Link{
			Name: p.Interface, Kind: BoundLink, Port: p.ID, Alias: c.GuestStamp(p.ID), MAC: p.MAC,
			MTU: c.MTU, Up: p.AdminStateUp,
		}, true
	case p.Peer != "":
		return pairEnd(v, c, p, portMAC(p))
	}
	return Link{}, false
}

// pairEnd is a linked port's end of its veth pair; false where the link needs
// none, or cannot be made yet because the other end's namespace is not decided.
func pairEnd(v sdn.View, c Config, p sdn.Port, mac string) (Link, bool) {
	peer, ok := v.Port(p.Peer)
	if !ok || CheckPort(peer) != nil || selfLink(v, p, peer) {
		return Link{}, false
	}
	home, ok := HomeOf(v, peer.Device)
	if !ok {
		return Link{}, false
	}
	return Link{
		Name: sdn.PortInterface(v, p), Kind: VethLink, Alias: c.PortStamp(p.ID), MAC: mac,
		MTU: c.MTU, Up: p.AdminStateUp,
		PeerNamespace: sdn.NamespaceName(home), Peer: sdn.PortInterface(v, peer),
	}, true
}

// selfLink says whether the link between the two ports is the one that a
// bridge's own interface plays.
func selfLink(v sdn.View, p, peer sdn.Port) bool {
	if p.Kind == sdn.RouterPort {
		p, peer = peer, p
	}
	if p.Kind != sdn.BridgePort || peer.Kind != sdn.RouterPort {
		return false
	}
	b, ok := v.Bridge(sdn.BridgeID(p.Device))
	return ok && b.Home.Self == peer.ID
}

func (c Config) isUplink(p sdn.Port) bool {
	return c.Uplink.Port != "" && p.ID == c.Uplink.Port && p.Interface == sdn.InterfaceName(p.ID)
}
