package wire

import (
	"net/netip"

	"github.com/moatnet/moat/sdn"
)

// Host is resource Host-v3.
type Host struct {
	URI                   Text        `json:"uri"`
	ID                    Text        `json:"id"`
	Name                  Text        `json:"name"`
	Addresses             []Text      `json:"addresses"`
	HostInterfaces        []Interface `json:"hostInterfaces"`
	Alive                 Bool        `json:"alive"`
	FloodingProxyWeight   *Int        `json:"floodingProxyWeight"`
	ContainerWeight       *Int        `json:"containerWeight"`
	ContainerLimit        *Int        `json:"containerLimit"`
	EnforceContainerLimit *Bool       `json:"enforceContainerLimit"`
	Interfaces            Text        `json:"interfaces"`
	Ports                 Text        `json:"ports"`
}

// Interface is resource Interface-v1.
type Interface struct {
	URI       Text   `json:"uri"`
	HostID    Text   `json:"hostId"`
	Name      Text   `json:"name"`
	MAC       Text   `json:"mac"`
	MTU       Int    `json:"mtu"`
	Status    Int    `json:"status"`
	Type      Text   `json:"type"`
	Endpoint  Text   `json:"endpoint"`
	PortType  Text   `json:"portType"`
	Addresses []Text `json:"addresses"`
}

// NewHost is the request body for a host: no links, and nothing that only its
// engine can know.
func NewHost(h sdn.Host) Host {
	flooding, weight, limit := Int(h.FloodingProxyWeight), Int(h.ContainerWeight), Int(h.ContainerLimit)
	enforce := Bool(h.EnforceContainerLimit)
	return Host{
		ID: Text(h.ID), Name: Text(h.Name),
		FloodingProxyWeight: &flooding, ContainerWeight: &weight,
		ContainerLimit: &limit, EnforceContainerLimit: &enforce,
	}
}

// Host is the representation of a host, with its links and interfaces.
func (u URIs) Host(h sdn.Host) Host {
	d := NewHost(h)
	d.URI = u.text(Hosts, string(h.ID))
	d.Interfaces = u.text(Hosts, string(h.ID), Interfaces)
	d.Ports = u.text(Hosts, string(h.ID), Ports)
	d.Alive = Bool(h.Alive)
	d.Addresses = addrTexts(h.Addresses)
	d.HostInterfaces = make([]Interface, len(h.Interfaces))
	for i, f := range h.Interfaces {
		d.HostInterfaces[i] = u.Interface(h.ID, f)
	}
	return d
}

// Interface is the representation of an interface of a host.
func (u URIs) Interface(host sdn.HostID, f sdn.HostInterface) Interface {
	return Interface{
		URI:    u.text(Hosts, string(host), Interfaces, f.Name),
		HostID: Text(host), Name: Text(f.Name), MAC: Text(f.MAC), MTU: Int(f.MTU), Status: Int(f.Status),
		Type: Text(f.Type), Endpoint: Text(f.Endpoint), PortType: Text(f.PortType),
		Addresses: addrTexts(f.Addresses),
	}
}

func addrTexts(as []netip.Addr) []Text {
	out := make([]Text, len(as))
	for i, a := range as {
		out[i] = Text(a.String())
	}
	return out
}

// Noun reads a representation.
func (d Host) Noun() (sdn.Host, error) {
	var c check
	h := sdn.Host{
		ID: parseID[sdn.HostID](&c, "id", d.ID), Name: c.name(d.Name), Alive: bool(d.Alive),
		Addresses: c.addrs("addresses", d.Addresses),
		// The defaults of section 3.9.
		FloodingProxyWeight: 1, ContainerWeight: 1, ContainerLimit: -1,
	}
	if n := c.optional("floodingProxyWeight", d.FloodingProxyWeight, 0, 65535); n != nil {
		h.FloodingProxyWeight = *n
	}
	if n := c.optional("containerWeight", d.ContainerWeight, 0, 1<<31-1); n != nil {
		h.ContainerWeight = *n
	}
	if n := c.optional("containerLimit", d.ContainerLimit, -1, 1<<31-1); n != nil {
		h.ContainerLimit = *n
	}
	if d.EnforceContainerLimit != nil {
		h.EnforceContainerLimit = bool(*d.EnforceContainerLimit)
	}
	for _, f := range d.HostInterfaces {
		h.Interfaces = append(h.Interfaces, sdn.HostInterface{
			Name: string(f.Name), MAC: string(f.MAC), MTU: int(f.MTU), Status: int(f.Status),
			Type: string(f.Type), Endpoint: string(f.Endpoint), PortType: string(f.PortType),
			Addresses: c.addrs("hostInterfaces", f.Addresses),
		})
	}
	return h, c.err()
}

// addrs reads addresses of either family.
func (c *check) addrs(property string, vs []Text) []netip.Addr {
	var out []netip.Addr
	for _, v := range vs {
		a, err := netip.ParseAddr(string(v))
		if err != nil {
			c.fail(property, "%q is not an IP address", clip(string(v)))
			continue
		}
		out = append(out, a)
	}
	return out
}

// ParseNewHost reads the body of a POST, which must name the ID. What only the
// host's engine can know (alive, addresses, interfaces) is ignored.
func ParseNewHost(body []byte) (sdn.Host, error) {
	d, err := decodeHost(body)
	if err != nil {
		return sdn.Host{}, err
	}
	var c check
	c.need("id", d.ID)
	if err := c.err(); err != nil {
		return sdn.Host{}, err
	}
	return d.Noun()
}

// ParseHost reads the body of a PUT, which must name all four weights and
// limits; everything else in it is ignored.
func ParseHost(body []byte) (sdn.Host, error) {
	d, err := decodeHost(body)
	if err != nil {
		return sdn.Host{}, err
	}
	var c check
	for _, p := range []unserved{
		{"floodingProxyWeight", d.FloodingProxyWeight != nil},
		{"containerWeight", d.ContainerWeight != nil},
		{"containerLimit", d.ContainerLimit != nil},
		{"enforceContainerLimit", d.EnforceContainerLimit != nil},
	} {
		if !p.set {
			c.fail(p.property, "may not be null")
		}
	}
	if err := c.err(); err != nil {
		return sdn.Host{}, err
	}
	return d.Noun()
}

func decodeHost(body []byte) (Host, error) {
	var d Host
	err := Decode(body, &d)
	d.Alive, d.Addresses, d.HostInterfaces = false, nil, nil
	return d, err
}
