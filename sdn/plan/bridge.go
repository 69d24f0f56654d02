package plan

import (
	"fmt"

	"github.com/moatnet/moat/sdn"
)

// Bridge plans a bridge's part of the namespace of its home: its interface,
// and those of its ports that are linked or bound here.
func Bridge(v sdn.View, c Config, id sdn.BridgeID) (Namespace, error) {
	b, ok := v.Bridge(id)
	if !ok || b.Home.Device == "" {
		return Namespace{}, fmt.Errorf("plan bridge %s: %w", id, sdn.ErrNotFound)
	}
	n := Namespace{Name: sdn.NamespaceName(b.Home.Device), Device: b.Home.Device}
	n.Links = append(n.Links, bridgeLink(v, c, b))
	for _, p := range v.PortsOf(sdn.DeviceID(id)) {
		if err := CheckPort(p); err != nil {
			n.Unrealised = append(n.Unrealised, err.Error())
			continue
		}
		if l, ok := memberLink(v, c, p); ok {
			l.Master = sdn.InterfaceName(id)
			n.Links = append(n.Links, l)
		}
	}
	n.Sort()
	return n, nil
}

// bridgeLink is the bridge's own interface. Where it plays a router port it has
// that port's MAC; elsewhere it is no way into the namespace's IP stack.
func bridgeLink(v sdn.View, c Config, b sdn.Bridge) Link {
	l := Link{
		Name: sdn.InterfaceName(b.ID), Kind: BridgeLink, Alias: c.stamp(KindBridge, string(b.ID)),
		MAC: MACOf(b.ID), MTU: c.MTU, Up: b.AdminStateUp, NoARP: true,
	}
	if p, ok := selfPort(v, b); ok {
		l.MAC = portMAC(p)
		l.NoARP = !open(v, p)
	}
	return l
}

// selfPort is the router port that the bridge's interface plays.
func selfPort(v sdn.View, b sdn.Bridge) (sdn.Port, bool) {
	p, ok := v.Port(b.Home.Self)
	if !ok || p.Peer == "" {
		return sdn.Port{}, false
	}
	return p, true
}

// open says whether both ends of the port's link are up.
func open(v sdn.View, p sdn.Port) bool {
	peer, ok := v.Port(p.Peer)
	return ok && p.AdminStateUp && peer.AdminStateUp
}

// memberLink is the interface of a bridge port; false when it has none.
func memberLink(v sdn.View, c Config, p sdn.Port) (Link, bool) {
	if boundHere(c, p) {
		return Link{
			Name: p.Interface, Kind: BoundLink, Port: p.ID, Alias: c.PortStamp(p.ID), MTU: c.MTU, Up: p.AdminStateUp,
		}, true
	}
	if p.Peer == "" {
		return Link{}, false
	}
	return pairEnd(v, c, p, MACOf(p.ID))
}
