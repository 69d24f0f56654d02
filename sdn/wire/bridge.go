package wire

import "github.com/moatnet/moat/sdn"

// Bridge is resource Bridge-v4 and -v5, whose bodies are the same.
type Bridge struct {
	URI                  Text   `json:"uri"`
	ID                   Text   `json:"id"`
	TenantID             Text   `json:"tenantId"`
	Name                 Text   `json:"name"`
	AdminStateUp         Bool   `json:"adminStateUp"`
	InboundFilterID      Text   `json:"inboundFilterId"`
	OutboundFilterID     Text   `json:"outboundFilterId"`
	InboundMirrorIDs     []Text `json:"inboundMirrorIds"`
	OutboundMirrorIDs    []Text `json:"outboundMirrorIds"`
	QoSPolicyID          Text   `json:"qosPolicyId"`
	VXLANPortIDs         []Text `json:"vxLanPortIds"`
	InboundFilter        Text   `json:"inboundFilter"`
	OutboundFilter       Text   `json:"outboundFilter"`
	QoSPolicy            Text   `json:"qosPolicy"`
	Ports                Text   `json:"ports"`
	PeerPorts            Text   `json:"peerPorts"`
	VXLANPorts           Text   `json:"vxLanPorts"`
	MACTable             Text   `json:"macTable"`
	ARPTable             Text   `json:"arpTable"`
	DHCPSubnets          Text   `json:"dhcpSubnets"`
	DHCPSubnet6s         Text   `json:"dhcpSubnet6s"`
	VLANMACTableTemplate Text   `json:"vlanMacTableTemplate"`
	MACPortTemplate      Text   `json:"macPortTemplate"`
	VLANMACPortTemplate  Text   `json:"vlanMacPortTemplate"`
}

// NewBridge is the request body for a bridge: no links.
func NewBridge(b sdn.Bridge) Bridge {
	return Bridge{
		ID:               Text(b.ID),
		TenantID:         Text(b.TenantID),
		Name:             Text(b.Name),
		AdminStateUp:     Bool(b.AdminStateUp),
		InboundFilterID:  Text(b.InboundFilter),
		OutboundFilterID: Text(b.OutboundFilter),
	}
}

// Bridge is the representation of a bridge, with its links.
func (u URIs) Bridge(b sdn.Bridge) Bridge {
	d, id := NewBridge(b), string(b.ID)
	d.URI = u.text(Bridges, id)
	d.InboundMirrorIDs, d.OutboundMirrorIDs, d.VXLANPortIDs = []Text{}, []Text{}, []Text{}
	d.InboundFilter = link(u, Chains, b.InboundFilter)
	d.OutboundFilter = link(u, Chains, b.OutboundFilter)
	d.Ports = u.text(Bridges, id, Ports)
	d.PeerPorts = u.text(Bridges, id, PeerPorts)
	d.VXLANPorts = u.text(Bridges, id, VXLANPorts)
	d.MACTable = u.text(Bridges, id, MACTable)
	d.ARPTable = u.text(Bridges, id, ARPTable)
	d.DHCPSubnets = u.text(Bridges, id, DHCP)
	d.DHCPSubnet6s = u.text(Bridges, id, DHCPV6)
	d.VLANMACTableTemplate = u.text(Bridges, id, VLANs) + "/{vlanId}/" + MACTable
	d.MACPortTemplate = d.MACTable + "/{macAddress}_{portId}"
	d.VLANMACPortTemplate = d.VLANMACTableTemplate + "/{macAddress}_{portId}"
	return d
}

// Noun reads a representation.
func (d Bridge) Noun() (sdn.Bridge, error) {
	var c check
	b := sdn.Bridge{
		ID:             parseID[sdn.BridgeID](&c, "id", d.ID),
		TenantID:       sdn.TenantID(d.TenantID),
		Name:           c.name(d.Name),
		AdminStateUp:   bool(d.AdminStateUp),
		InboundFilter:  parseID[sdn.ChainID](&c, "inboundFilterId", d.InboundFilterID),
		OutboundFilter: parseID[sdn.ChainID](&c, "outboundFilterId", d.OutboundFilterID),
	}
	return b, c.err()
}

// ParseBridge reads the body of a POST or PUT. An empty list of VXLAN ports is
// accepted, as clients send back what they read.
func ParseBridge(body []byte) (sdn.Bridge, error) {
	d := Bridge{AdminStateUp: true}
	if err := Decode(body, &d); err != nil {
		return sdn.Bridge{}, err
	}
	b, err := d.Noun()
	if err != nil {
		return sdn.Bridge{}, err
	}
	if len(d.VXLANPortIDs) > 0 {
		return sdn.Bridge{}, &sdn.ValidationError{Violations: []sdn.Violation{
			{Property: "vxLanPortIds", Message: "is set by VTEP bindings only"}}}
	}
	return b, refuse("bridge", []unserved{
		{"qosPolicyId", d.QoSPolicyID != ""},
		{"inboundMirrorIds", len(d.InboundMirrorIDs) > 0},
		{"outboundMirrorIds", len(d.OutboundMirrorIDs) > 0},
	})
}
