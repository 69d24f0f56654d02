package wire

import "github.com/moatnet/moat/sdn"

// maxInterfaceName is the length of the longest name of a Linux interface.
const maxInterfaceName = 15

// Binding is resource HostInterfacePort-v1.
type Binding struct {
	URI           Text `json:"uri"`
	HostID        Text `json:"hostId"`
	PortID        Text `json:"portId"`
	InterfaceName Text `json:"interfaceName"`
	Host          Text `json:"host"`
	Port          Text `json:"port"`
}

// NewBinding is the request body for a binding: no links.
func NewBinding(b sdn.Binding) Binding {
	return Binding{HostID: Text(b.Host), PortID: Text(b.Port), InterfaceName: Text(b.Interface)}
}

// Binding is the representation of a binding, with its links.
func (u URIs) Binding(b sdn.Binding) Binding {
	d := NewBinding(b)
	d.URI = u.text(Hosts, string(b.Host), Ports, string(b.Port))
	d.Host = link(u, Hosts, b.Host)
	d.Port = link(u, Ports, b.Port)
	return d
}

// Noun reads a representation.
func (d Binding) Noun() (sdn.Binding, error) {
	var c check
	c.need("portId", d.PortID)
	c.need("interfaceName", d.InterfaceName)
	if len(d.InterfaceName) > maxInterfaceName {
		c.fail("interfaceName", "is longer than %d bytes", maxInterfaceName)
	}
	b := sdn.Binding{
		Host:      parseID[sdn.HostID](&c, "hostId", d.HostID),
		Port:      parseID[sdn.PortID](&c, "portId", d.PortID),
		Interface: string(d.InterfaceName),
	}
	return b, c.err()
}

// ParseBinding reads the body of a POST.
func ParseBinding(body []byte) (sdn.Binding, error) {
	var d Binding
	if err := Decode(body, &d); err != nil {
		return sdn.Binding{}, err
	}
	return d.Noun()
}
