package filter

import (
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

func portInbound() place {
	p := inbound()
	p.name, p.nat = "pin", natNone
	return p
}

func portOutbound() place {
	p := outbound()
	p.name, p.nat = "pout", natNone
	return p
}

func portOutboundGenerated() place {
	p := outboundGenerated()
	p.name, p.nat = "pown", natNone
	return p
}

// portOutboundLast is where ports filter when the router translates sources:
// they see the packet as it leaves.
func portOutboundLast() place {
	p := portOutbound()
	p.canReject, p.generated = false, generatedMarked
	return p
}

// portFilters adds the filters of the router's ports.
func (d *device) portFilters(r sdn.Router) error {
	in := func(p sdn.Port) sdn.ChainID { return p.InboundFilter }
	out := func(p sdn.Port) sdn.ChainID { return p.OutboundFilter }
	id := sdn.DeviceID(r.ID)
	if err := d.perPort(id, in, portInbound(), nft.IIfName, "port-inbound", nft.Prerouting, prioPortInbound); err != nil {
		return err
	}
	if d.translatesSources() {
		return d.perPort(id, out, portOutboundLast(), nft.OIfName, "port-outbound", nft.Postrouting, prioPortOutboundLast)
	}
	if err := d.perPort(id, out, portOutbound(), nft.OIfName, "port-outbound", nft.Forward, prioPortOutbound); err != nil {
		return err
	}
	return d.perPort(id, out, portOutboundGenerated(), nft.OIfName, "port-own", nft.Output, prioPortOutbound)
}

func (d *device) translatesSources() bool {
	for _, n := range d.nat {
		if n.before.nat == natSrc {
			return true
		}
	}
	return false
}

// perPort makes a base chain that sends each port's packets to its filter, by a
// map with one element for each port that has one.
func (d *device) perPort(id sdn.DeviceID, filter func(sdn.Port) sdn.ChainID, p place, f nft.Field, name string, h nft.Hook, prio int32) error {
	m := nft.Set{Name: name, Key: nft.TypeIfname, Data: nft.TypeVerdict}
	for _, port := range d.view.PortsOf(id) {
		if _, ok := d.view.Chain(filter(port)); !ok || d.ports[port.ID] == "" {
			continue
		}
		chain, err := d.chain(p, filter(port), 0, nil)
		if err != nil {
			return err
		}
		m.Elements = append(m.Elements, nft.Element{Key: nft.Iface(d.ports[port.ID]), Verdict: nft.Jump(chain)})
	}
	if len(m.Elements) == 0 {
		return nil
	}
	d.addSet(m)
	d.filter(name, h, prio, nft.PolicyAccept, nft.NewRule(nft.Vmap{Field: f, Map: name}))
	return nil
}
