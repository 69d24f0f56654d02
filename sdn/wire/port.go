package wire

import (
	"fmt"
	"net/netip"

	"github.com/moatnet/moat/sdn"
)

// Port is resource Port-v3 and -v4, whose bodies are the same. Exactly one of
// RouterPort and BridgePort is present in what the server sends.
type Port struct {
	URI                   Text   `json:"uri"`
	ID                    Text   `json:"id"`
	Type                  Text   `json:"type"`
	AdminStateUp          Bool   `json:"adminStateUp"`
	InboundFilterID       Text   `json:"inboundFilterId"`
	OutboundFilterID      Text   `json:"outboundFilterId"`
	TunnelKey             Int    `json:"tunnelKey"`
	VIFID                 Text   `json:"vifId"`
	HostID                Text   `json:"hostId"`
	InterfaceName         Text   `json:"interfaceName"`
	PeerID                Text   `json:"peerId"`
	InboundMirrorIDs      []Text `json:"inboundMirrorIds"`
	OutboundMirrorIDs     []Text `json:"outboundMirrorIds"`
	PostInFilterMirrorIDs []Text `json:"postInFilterMirrorIds"`
	PreOutFilterMirrorIDs []Text `json:"preOutFilterMirrorIds"`
	InsertionIDs          []Text `json:"insertionIds"`
	QoSPolicyID           Text   `json:"qosPolicyId"`
	Active                Bool   `json:"active"`
	DeviceID              Text   `json:"deviceId"`
	Device                Text   `json:"device"`
	Host                  Text   `json:"host"`
	Peer                  Text   `json:"peer"`
	Link                  Text   `json:"link"`
	PortGroups            Text   `json:"portGroups"`
	HostInterfacePort     Text   `json:"hostInterfacePort"`
	InboundFilter         Text   `json:"inboundFilter"`
	OutboundFilter        Text   `json:"outboundFilter"`

	*RouterPort
	*BridgePort
}

// RouterPort holds the properties that only router ports have.
type RouterPort struct {
	NetworkAddress     Text   `json:"networkAddress"`
	NetworkLength      Int    `json:"networkLength"`
	PortAddress        Text   `json:"portAddress"`
	PortSubnet         []Text `json:"portSubnet"`
	PortMAC            Text   `json:"portMac"`
	RtrPortVNI         *Int   `json:"rtrPortVni"`
	OffRampVXLAN       *Bool  `json:"offRampVxlan"`
	ServiceContainerID Text   `json:"serviceContainerId"`
	BGPStatus          Text   `json:"bgpStatus"`
	PeeringTable       Text   `json:"peeringTable"`
	ServiceContainer   Text   `json:"serviceContainer"`
}

// BridgePort holds the properties that only bridge ports have.
type BridgePort struct {
	VLANID  Int       `json:"vlanId"`
	Senders *[]Sender `json:"senders,omitempty"` // Moat's own; absent from a PUT it stays as it is
}

// Sender is one who may send frames into a bridge port, a property of Moat's own.
type Sender struct {
	MACAddr Text   `json:"macAddr"`
	IPAddrs []Text `json:"ipAddrs"`
}

// PortLink is resource PortLink-v1: a link, seen from one of its ends. Of a body
// only peerId is read: the URI decides which port is meant.
type PortLink struct {
	URI    Text `json:"uri"`
	PortID Text `json:"portId"`
	PeerID Text `json:"peerId"`
	Port   Text `json:"port"`
	Peer   Text `json:"peer"`
}

// PortLink is the representation of the link of a port.
func (u URIs) PortLink(port, peer sdn.PortID) PortLink {
	return PortLink{
		URI:    u.text(Ports, string(port), Link),
		PortID: Text(port), PeerID: Text(peer),
		Port: link(u, Ports, port), Peer: link(u, Ports, peer),
	}
}

// ParseLink reads the body of POST /ports/{id}/link.
func ParseLink(body []byte) (peer sdn.PortID, err error) {
	var d PortLink
	if err := Decode(body, &d); err != nil {
		return "", err
	}
	var c check
	c.need("peerId", d.PeerID)
	peer = parseID[sdn.PortID](&c, "peerId", d.PeerID)
	return peer, c.err()
}

// NewPort is the request body for a port: no links.
func NewPort(p sdn.Port) Port {
	d := Port{
		ID:               Text(p.ID),
		Type:             Text(p.Kind),
		AdminStateUp:     Bool(p.AdminStateUp),
		InboundFilterID:  Text(p.InboundFilter),
		OutboundFilterID: Text(p.OutboundFilter),
		TunnelKey:        Int(p.TunnelKey),
		VIFID:            Text(p.VIF),
		HostID:           Text(p.Host),
		InterfaceName:    Text(p.Interface),
		PeerID:           Text(p.Peer),
		Active:           Bool(p.Active),
		DeviceID:         Text(p.Device),
	}
	if p.Kind == sdn.BridgePort {
		d.BridgePort = &BridgePort{VLANID: Int(p.VLAN)}
		if len(p.Senders) > 0 {
			d.Senders = newSenders(p.Senders)
		}
		return d
	}
	d.RouterPort = &RouterPort{PortMAC: Text(p.MAC), PortSubnet: []Text{}}
	if p.Address.IsValid() {
		d.NetworkAddress = Text(p.Address.Masked().Addr().String())
		d.NetworkLength = Int(p.Address.Bits())
		d.PortAddress = Text(p.Address.Addr().String())
		d.PortSubnet = []Text{Text(p.Address.String())}
	}
	return d
}

// ChangedPort is the request body of a PUT, which says of a bridge port's senders
// too that there are none.
func ChangedPort(p sdn.Port) Port {
	d := NewPort(p)
	if d.BridgePort != nil {
		d.Senders = newSenders(p.Senders)
	}
	return d
}

// Port is the representation of a port, with its links.
func (u URIs) Port(p sdn.Port) Port {
	d, id := NewPort(p), string(p.ID)
	d.URI = u.text(Ports, id)
	d.InboundMirrorIDs, d.OutboundMirrorIDs = []Text{}, []Text{}
	d.PostInFilterMirrorIDs, d.PreOutFilterMirrorIDs, d.InsertionIDs = []Text{}, []Text{}, []Text{}
	d.Device = link(u, deviceCollection(p.Kind), p.Device)
	d.Host = link(u, Hosts, p.Host)
	d.Peer = link(u, Ports, p.Peer)
	d.Link = u.text(Ports, id, Link)
	d.PortGroups = u.text(Ports, id, PortGroups)
	if p.Host != "" {
		d.HostInterfacePort = u.text(Hosts, string(p.Host), Ports, id)
	}
	d.InboundFilter = link(u, Chains, p.InboundFilter)
	d.OutboundFilter = link(u, Chains, p.OutboundFilter)
	if d.RouterPort != nil {
		d.PeeringTable = u.text(Routers, string(p.Device), Ports, id, PeeringTable)
	}
	return d
}

func deviceCollection(k sdn.PortKind) string {
	if k == sdn.RouterPort {
		return Routers
	}
	return Bridges
}

// portKinds maps the discriminator to the kind, the four names of the 1.x API
// included.
var portKinds = map[Text]sdn.PortKind{
	"Router": sdn.RouterPort, "ExteriorRouter": sdn.RouterPort, "InteriorRouter": sdn.RouterPort,
	"Bridge": sdn.BridgePort, "ExteriorBridge": sdn.BridgePort, "InteriorBridge": sdn.BridgePort,
	vxlanPort: vxlanPort,
}

const vxlanPort = "Vxlan"

// Noun reads a representation.
func (d Port) Noun() (sdn.Port, error) {
	kind, known := portKinds[d.Type]
	if !known {
		return sdn.Port{}, fmt.Errorf("%q is no type of port: %w", clip(string(d.Type)), sdn.ErrInvalid)
	}
	var c check
	p := sdn.Port{
		ID:             parseID[sdn.PortID](&c, "id", d.ID),
		Kind:           kind,
		Device:         parseID[sdn.DeviceID](&c, "deviceId", d.DeviceID),
		AdminStateUp:   bool(d.AdminStateUp),
		InboundFilter:  parseID[sdn.ChainID](&c, "inboundFilterId", d.InboundFilterID),
		OutboundFilter: parseID[sdn.ChainID](&c, "outboundFilterId", d.OutboundFilterID),
		TunnelKey:      int64(d.TunnelKey),
		VIF:            parseID[string](&c, "vifId", d.VIFID),
		Host:           parseID[sdn.HostID](&c, "hostId", d.HostID),
		Interface:      string(d.InterfaceName),
		Peer:           parseID[sdn.PortID](&c, "peerId", d.PeerID),
		Active:         bool(d.Active),
	}
	if d.RouterPort != nil && kind == sdn.RouterPort {
		p.Address = d.address(&c)
		p.MAC = c.mac("portMac", d.PortMAC)
	}
	if d.BridgePort != nil && kind == sdn.BridgePort {
		p.VLAN = uint16(c.within("vlanId", d.VLANID, 0, 4095))
		if d.Senders != nil {
			p.Senders = c.senders(*d.Senders)
		}
	}
	return p, c.err()
}

// address takes the first IPv4 subnet of portSubnet, else portAddress with
// networkLength. networkAddress follows from either and is only checked.
func (d RouterPort) address(c *check) netip.Prefix {
	c.ipv4("networkAddress", d.NetworkAddress)
	bits := c.within("networkLength", d.NetworkLength, 0, 32)
	fallback := c.ipv4("portAddress", d.PortAddress)
	for _, s := range d.PortSubnet {
		p, err := netip.ParsePrefix(string(s))
		if err != nil {
			c.fail("portSubnet", "%q is not a CIDR", clip(string(s)))
			return netip.Prefix{}
		}
		if p.Addr().Is4() {
			return p
		}
	}
	if !fallback.IsValid() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(fallback, bits)
}

// ParsePort reads the body of a POST or PUT.
func ParsePort(body []byte) (sdn.Port, error) {
	d := Port{AdminStateUp: true}
	if err := Decode(body, &d); err != nil {
		return sdn.Port{}, err
	}
	p, err := d.Noun()
	if err != nil {
		return sdn.Port{}, err
	}
	if p.Kind == vxlanPort {
		return sdn.Port{}, fmt.Errorf("ports of type Vxlan are made by VTEP bindings only: %w", sdn.ErrInvalid)
	}
	props := []unserved{
		{"qosPolicyId", d.QoSPolicyID != ""},
		{"inboundMirrorIds", len(d.InboundMirrorIDs) > 0},
		{"outboundMirrorIds", len(d.OutboundMirrorIDs) > 0},
		{"postInFilterMirrorIds", len(d.PostInFilterMirrorIDs) > 0},
		{"preOutFilterMirrorIds", len(d.PreOutFilterMirrorIDs) > 0},
	}
	if r := d.RouterPort; r != nil && p.Kind == sdn.RouterPort {
		props = append(props,
			unserved{"rtrPortVni", r.RtrPortVNI != nil && *r.RtrPortVNI != 0},
			unserved{"offRampVxlan", r.OffRampVXLAN != nil && bool(*r.OffRampVXLAN)},
			unserved{"portSubnet", len(r.PortSubnet) > 1 || len(r.PortSubnet) == 1 && r.PortSubnet[0] != Text(p.Address.String())})
	}
	return p, refuse("port", props)
}
