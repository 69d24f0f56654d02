package wire

import "github.com/moatnet/moat/sdn"

// PortGroup is resource PortGroup-v1.
type PortGroup struct {
	URI      Text `json:"uri"`
	ID       Text `json:"id"`
	TenantID Text `json:"tenantId"`
	Name     Text `json:"name"`
	Stateful Bool `json:"stateful"`
	Ports    Text `json:"ports"`
}

// PortGroupPort is resource PortGroupPort-v1.
type PortGroupPort struct {
	URI         Text `json:"uri"`
	PortGroupID Text `json:"portGroupId"`
	PortID      Text `json:"portId"`
	PortGroup   Text `json:"portGroup"`
	Port        Text `json:"port"`
}

// NewPortGroup is the request body for a port group: no links.
func NewPortGroup(g sdn.PortGroup) PortGroup {
	return PortGroup{ID: Text(g.ID), TenantID: Text(g.TenantID), Name: Text(g.Name), Stateful: Bool(g.Stateful)}
}

// PortGroup is the representation of a port group, with its links.
func (u URIs) PortGroup(g sdn.PortGroup) PortGroup {
	d := NewPortGroup(g)
	d.URI = u.text(PortGroups, string(g.ID))
	d.Ports = u.text(PortGroups, string(g.ID), Ports)
	return d
}

// Noun reads a representation.
func (d PortGroup) Noun() (sdn.PortGroup, error) {
	var c check
	g := sdn.PortGroup{
		ID:       parseID[sdn.PortGroupID](&c, "id", d.ID),
		TenantID: sdn.TenantID(d.TenantID),
		Name:     c.name(d.Name),
		Stateful: bool(d.Stateful),
	}
	return g, c.err()
}

// ParsePortGroup reads the body of a POST or PUT.
func ParsePortGroup(body []byte) (sdn.PortGroup, error) {
	var d PortGroup
	if err := Decode(body, &d); err != nil {
		return sdn.PortGroup{}, err
	}
	return d.Noun()
}

// NewPortGroupPort is the request body for a member: no links.
func NewPortGroupPort(m sdn.PortGroupPort) PortGroupPort {
	return PortGroupPort{PortGroupID: Text(m.Group), PortID: Text(m.Port)}
}

// PortGroupPort is the representation of a member, with its links.
func (u URIs) PortGroupPort(m sdn.PortGroupPort) PortGroupPort {
	d := NewPortGroupPort(m)
	d.URI = u.text(PortGroups, string(m.Group), Ports, string(m.Port))
	d.PortGroup = link(u, PortGroups, m.Group)
	d.Port = link(u, Ports, m.Port)
	return d
}

// Noun reads a representation.
func (d PortGroupPort) Noun() (sdn.PortGroupPort, error) {
	var c check
	c.need("portId", d.PortID)
	m := sdn.PortGroupPort{
		Group: parseID[sdn.PortGroupID](&c, "portGroupId", d.PortGroupID),
		Port:  parseID[sdn.PortID](&c, "portId", d.PortID),
	}
	return m, c.err()
}

// ParsePortGroupPort reads the body of a POST. The group in it is ignored: the
// URI decides.
func ParsePortGroupPort(body []byte) (sdn.PortGroupPort, error) {
	var d PortGroupPort
	if err := Decode(body, &d); err != nil {
		return sdn.PortGroupPort{}, err
	}
	d.PortGroupID = ""
	return d.Noun()
}
