package wire

import "github.com/moatnet/moat/sdn"

// DHCPHost is resource DhcpHost-v2. Its bridge and subnet stand in the URI
// alone.
type DHCPHost struct {
	URI           Text         `json:"uri"`
	MACAddr       Text         `json:"macAddr"`
	IPAddr        Text         `json:"ipAddr"`
	Name          Text         `json:"name"`
	ExtraDHCPOpts []DHCPOption `json:"extraDhcpOpts"`
}

// DHCPOption is an entry of extraDhcpOpts.
type DHCPOption struct {
	OptName  Text `json:"optName"`
	OptValue Text `json:"optValue"`
}

// NewDHCPHost is the request body for a DHCP host: no links.
func NewDHCPHost(h sdn.DHCPHost) DHCPHost {
	d := DHCPHost{
		MACAddr: Text(h.MAC), IPAddr: addrText(h.Addr), Name: Text(h.Name),
		ExtraDHCPOpts: make([]DHCPOption, len(h.Options)),
	}
	for i, o := range h.Options {
		d.ExtraDHCPOpts[i] = DHCPOption{OptName: Text(o.Name), OptValue: Text(o.Value)}
	}
	return d
}

// DHCPHost is the representation of a DHCP host, with its URI.
func (u URIs) DHCPHost(h sdn.DHCPHost) DHCPHost {
	d := NewDHCPHost(h)
	d.URI = u.text(Bridges, string(h.Bridge), DHCP, prefixKey(h.Subnet), Hosts, h.MAC)
	return d
}

// Noun reads a representation; bridge and subnet are left out.
func (d DHCPHost) Noun() (sdn.DHCPHost, error) {
	var c check
	c.need("macAddr", d.MACAddr)
	c.need("ipAddr", d.IPAddr)
	h := sdn.DHCPHost{
		MAC:  c.mac("macAddr", d.MACAddr),
		Addr: c.ipv4("ipAddr", d.IPAddr),
		Name: c.name(d.Name),
	}
	for _, o := range d.ExtraDHCPOpts {
		c.need("optName", o.OptName)
		h.Options = append(h.Options, sdn.DHCPOption{Name: string(o.OptName), Value: string(o.OptValue)})
	}
	return h, c.err()
}

// ParseDHCPHost reads the body of a POST or PUT.
func ParseDHCPHost(body []byte) (sdn.DHCPHost, error) {
	var d DHCPHost
	if err := Decode(body, &d); err != nil {
		return sdn.DHCPHost{}, err
	}
	return d.Noun()
}

// ParseMACKey reads a MAC address of a URI, with colons or dashes. The error
// wraps sdn.ErrInvalid.
func ParseMACKey(key string) (string, error) {
	var c check
	mac := c.mac("macAddr", Text(key))
	if mac == "" {
		return "", badKey(key, "a MAC address")
	}
	return mac, nil
}
