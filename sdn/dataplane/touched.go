package dataplane

import (
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

// touched collects the names of the namespaces that changes concern.
type touched struct {
	view   sdn.View
	uplink sdn.PortID
	names  map[string]sdn.DeviceID
	chains map[sdn.ChainID]bool
}

// touchedBy names the namespaces that a change concerns, with their devices.
func touchedBy(v sdn.View, uplink sdn.PortID, c sdn.Change) map[string]sdn.DeviceID {
	t := touched{view: v, uplink: uplink, names: make(map[string]sdn.DeviceID), chains: make(map[sdn.ChainID]bool)}
	if c.Kind == sdn.KindChain {
		t.chain(sdn.ChainID(c.ID))
	}
	t.object(c.Before)
	t.object(c.After)
	return t.names
}

func (t touched) object(o any) {
	switch o := o.(type) {
	case sdn.Router:
		t.home(sdn.DeviceID(o.ID))
		for _, p := range t.view.PortsOf(sdn.DeviceID(o.ID)) {
			t.peer(p)
		}
	case sdn.Bridge:
		t.home(o.Home.Device)
		for _, p := range t.view.PortsOf(sdn.DeviceID(o.ID)) {
			t.peer(p)
		}
	case sdn.Port:
		t.device(o.Device)
		t.peer(o)
		if o.ID == t.uplink {
			t.names[""] = ""
		}
	case sdn.Route:
		t.home(sdn.DeviceID(o.Router))
	case sdn.Rule:
		t.chain(o.Chain)
	default:
		t.addition(o)
	}
}

// addition is what stands beside devices and chains: groups that rules name, and
// what is fixed on a bridge.
func (t touched) addition(o any) {
	switch o := o.(type) {
	case sdn.PortGroup:
		t.group(string(o.ID))
	case sdn.PortGroupPort:
		t.group(string(o.Group))
	case sdn.IPAddrGroup:
		t.group(string(o.ID))
	case sdn.IPAddrGroupAddr:
		t.group(string(o.Group))
	case sdn.MACPort:
		t.device(sdn.DeviceID(o.Bridge))
	case sdn.IP4MAC:
		t.device(sdn.DeviceID(o.Bridge))
	case sdn.DHCPSubnet:
		t.device(sdn.DeviceID(o.Bridge))
	case sdn.DHCPHost:
		t.device(sdn.DeviceID(o.Bridge))
	}
}

func (t touched) group(id string) {
	for _, c := range t.view.ChainsNaming(id) {
		t.chain(c)
	}
}

func (t touched) home(d sdn.DeviceID) {
	if d != "" {
		t.names[sdn.NamespaceName(d)] = d
	}
}

func (t touched) device(d sdn.DeviceID) {
	if home, ok := plan.HomeOf(t.view, d); ok {
		t.home(home)
	}
}

func (t touched) peer(p sdn.Port) {
	if peer, ok := t.view.Port(p.Peer); ok {
		t.device(peer.Device)
	}
}

// chain follows a chain to all who use it, through jumps.
func (t touched) chain(id sdn.ChainID) {
	if t.chains[id] {
		return
	}
	t.chains[id] = true
	u := t.view.UsersOf(id)
	for _, r := range u.Routers {
		t.home(sdn.DeviceID(r))
	}
	for _, b := range u.Bridges {
		t.device(sdn.DeviceID(b))
	}
	for _, p := range u.Ports {
		if port, ok := t.view.Port(p); ok {
			t.device(port.Device)
			t.peer(port)
		}
	}
	for _, c := range u.Chains {
		t.chain(c)
	}
}

// standsAlone says whether a change is that of a bridge port on which nothing
// but its own interface depends: it has no link and no filters.
func standsAlone(c sdn.Change) bool {
	for _, o := range []any{c.Before, c.After} {
		p, ok := o.(sdn.Port)
		if o == nil {
			continue
		}
		if !ok || p.Kind != sdn.BridgePort || p.Peer != "" || p.InboundFilter != "" || p.OutboundFilter != "" {
			return false
		}
	}
	return c.Kind == sdn.KindPort
}
