package filter

import (
	"slices"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// portLists adds the conditions on lists of ports.
func (d *device) portLists(r sdn.Rule, p place, add func(literal, bool)) error {
	c := r.Condition
	if len(c.InPorts) > 0 {
		add(d.portList("in", r, p.in, nft.IIfName, c.InPorts), c.InvInPorts)
	}
	if len(c.OutPorts) > 0 {
		add(p.unicast(d.portList("out", r, p.out, nft.OIfName, c.OutPorts)), c.InvOutPorts)
	}
	return nil
}

// portList matches the ports of a list. Ports of other devices, and ports that
// are gone, match nothing.
func (d *device) portList(list string, r sdn.Rule, s side, f nft.Field, ids []sdn.PortID) literal {
	if s.kind != sideInterface {
		in := s.kind == sidePort && slices.Contains(ids, s.port)
		return literal{yes: constant(in), no: constant(!in)}
	}
	names := d.interfaces(ids)
	switch len(names) {
	case 0:
		return literal{yes: never(), no: always()}
	case 1:
		return equal(f, nft.Iface(names[0]))
	}
	set := d.name(list+"-"+short(r.ID), "set "+list+" "+string(r.ID))
	d.addSet(interfaceSet(set, names))
	return inSet(f, set)
}

// interfaces are the names of those of the ports that are the device's.
func (d *device) interfaces(ids []sdn.PortID) []string {
	var names []string
	for _, id := range ids {
		if name := d.ports[id]; name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func interfaceSet(name string, interfaces []string) nft.Set {
	s := nft.Set{Name: name, Key: nft.TypeIfname}
	for _, i := range interfaces {
		s.Elements = append(s.Elements, nft.Element{Key: nft.Iface(i)})
	}
	return s
}

// portGroups adds the conditions on groups of ports. A group's members are
// elements of a set, so that one more changes no rule; a group that is gone is
// an empty set.
func (d *device) portGroups(r sdn.Rule, p place, add func(literal, bool)) error {
	c := r.Condition
	if c.InPortGroup != "" {
		add(d.portGroup(p.in, nft.IIfName, c.InPortGroup), c.InvInPortGroup)
	}
	if c.OutPortGroup != "" {
		add(p.unicast(d.portGroup(p.out, nft.OIfName, c.OutPortGroup)), c.InvOutPortGroup)
	}
	if c.PortGroup == "" {
		return nil
	}
	bound, err := d.entries(r, c.PortGroup)
	if err != nil {
		return err
	}
	if p.in.kind != sideInterface { // a link's own end, or nothing: no way into the virtual network
		add(literal{yes: never(), no: always()}, c.InvPortGroup)
		return nil
	}
	set := d.name("entry-"+short(c.PortGroup), "entry group "+string(c.PortGroup))
	d.addSet(interfaceSet(set, bound))
	add(inSet(nft.IIfName, set), c.InvPortGroup)
	return nil
}

// portGroup matches the ports of a group.
func (d *device) portGroup(s side, f nft.Field, g sdn.PortGroupID) literal {
	members := d.view.PortsInGroup(g)
	if s.kind != sideInterface {
		in := s.kind == sidePort && slices.Contains(members, s.port)
		return literal{yes: constant(in), no: constant(!in)}
	}
	set := d.name("pg-"+short(g), "port group "+string(g))
	d.addSet(interfaceSet(set, d.interfaces(members)))
	return inSet(f, set)
}

// entries are the interfaces by which packets enter the virtual network at the
// ports of a group. Behind a link nothing of that is known any more, so all of
// them have to be at this device.
func (d *device) entries(r sdn.Rule, g sdn.PortGroupID) ([]string, error) {
	var bound []sdn.PortID
	for _, id := range d.view.PortsInGroup(g) {
		if _, own := d.ports[id]; !own && d.id != "" {
			return nil, unsupported(r, "portGroup", "port "+string(id)+" is another device's, and behind a link the port of entry is not known")
		}
		if p, ok := d.view.Port(id); ok && p.Interface != "" {
			bound = append(bound, id)
		}
	}
	return d.interfaces(bound), nil
}
