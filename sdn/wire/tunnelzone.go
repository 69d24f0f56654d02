package wire

import "github.com/moatnet/moat/sdn"

// TunnelZone is resource TunnelZone-v1.
type TunnelZone struct {
	URI   Text `json:"uri"`
	ID    Text `json:"id"`
	Name  Text `json:"name"`
	Type  Text `json:"type"`
	Hosts Text `json:"hosts"`
}

// TunnelZoneHost is resource TunnelZoneHost-v1.
type TunnelZoneHost struct {
	URI          Text `json:"uri"`
	TunnelZoneID Text `json:"tunnelZoneId"`
	HostID       Text `json:"hostId"`
	IPAddress    Text `json:"ipAddress"`
	Host         Text `json:"host"`
	TunnelZone   Text `json:"tunnelZone"`
}

// NewTunnelZone is the request body for a tunnel zone: no links.
func NewTunnelZone(z sdn.TunnelZone) TunnelZone {
	return TunnelZone{ID: Text(z.ID), Name: Text(z.Name), Type: Text(z.Type)}
}

// TunnelZone is the representation of a tunnel zone, with its links.
func (u URIs) TunnelZone(z sdn.TunnelZone) TunnelZone {
	d := NewTunnelZone(z)
	d.URI = u.text(TunnelZones, string(z.ID))
	d.Hosts = u.text(TunnelZones, string(z.ID), Hosts)
	return d
}

// Noun reads a representation.
func (d TunnelZone) Noun() (sdn.TunnelZone, error) {
	var c check
	c.need("name", d.Name)
	switch d.Type {
	case "gre", "vxlan", "vtep":
	default:
		c.fail("type", "%q is not gre, vxlan or vtep", clip(string(d.Type)))
	}
	z := sdn.TunnelZone{
		ID:   parseID[sdn.TunnelZoneID](&c, "id", d.ID),
		Name: c.name(d.Name),
		Type: string(d.Type),
	}
	return z, c.err()
}

// ParseTunnelZone reads the body of a POST or PUT.
func ParseTunnelZone(body []byte) (sdn.TunnelZone, error) {
	var d TunnelZone
	if err := Decode(body, &d); err != nil {
		return sdn.TunnelZone{}, err
	}
	return d.Noun()
}

// NewTunnelZoneHost is the request body for a member: no links.
func NewTunnelZoneHost(m sdn.TunnelZoneHost) TunnelZoneHost {
	return TunnelZoneHost{TunnelZoneID: Text(m.Zone), HostID: Text(m.Host), IPAddress: addrText(m.Address)}
}

// TunnelZoneHost is the representation of a member, with its links.
func (u URIs) TunnelZoneHost(m sdn.TunnelZoneHost) TunnelZoneHost {
	d := NewTunnelZoneHost(m)
	d.URI = u.text(TunnelZones, string(m.Zone), Hosts, string(m.Host))
	d.Host = link(u, Hosts, m.Host)
	d.TunnelZone = link(u, TunnelZones, m.Zone)
	return d
}

// Noun reads a representation.
func (d TunnelZoneHost) Noun() (sdn.TunnelZoneHost, error) {
	var c check
	c.need("hostId", d.HostID)
	c.need("ipAddress", d.IPAddress)
	m := sdn.TunnelZoneHost{
		Zone:    parseID[sdn.TunnelZoneID](&c, "tunnelZoneId", d.TunnelZoneID),
		Host:    parseID[sdn.HostID](&c, "hostId", d.HostID),
		Address: c.ipv4("ipAddress", d.IPAddress),
	}
	return m, c.err()
}

// ParseTunnelZoneHost reads the body of a POST.
func ParseTunnelZoneHost(body []byte) (sdn.TunnelZoneHost, error) {
	var d TunnelZoneHost
	if err := Decode(body, &d); err != nil {
		return sdn.TunnelZoneHost{}, err
	}
	return d.Noun()
}
