package plan

import (
	"fmt"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/filter"
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
		if l, ok := Member(v, c, p); ok {
			n.Links = append(n.Links, l)
		}
	}
	n.addNeighbours(v, c, b)
	tables, err := filter.Bridge(v, c.Installation, id)
	if err != nil {
		return Namespace{}, fmt.Errorf("plan bridge %s: %w", id, err)
	}
	n.Tables = tables
	n.addDHCP(v, c, b)
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
	if p, ok := v.Port(b.Home.Self); ok && p.Peer != "" {
		l.MAC, l.NoARP = portMAC(p), false
	}
	return l
}

// Member plans the interface of one bridge port, as Bridge does for all of a
// bridge without ARP entries; false when it has none.
func Member(v sdn.View, c Config, p sdn.Port) (Link, bool) {
	var l Link
	switch {
	case CheckPort(p) != nil:
		return Link{}, false
	case boundHere(c, p):
		l = Link{Name: p.Interface, Kind: BoundLink, Port: p.ID, Alias: c.PortStamp(p.ID), MTU: c.MTU, Up: p.AdminStateUp}
	case p.Peer != "":
		end, ok := pairEnd(v, c, p, MACOf(p.ID))
		if !ok {
			return Link{}, false
		}
		l = end
	default:
		return Link{}, false
	}
	l.Master, l.Senders = sdn.InterfaceName(p.Device), p.Senders
	return l, true
}
