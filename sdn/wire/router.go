package wire

import "github.com/moatnet/moat/sdn"

// Router is resource Router-v3.
type Router struct {
	URI                   Text   `json:"uri"`
	ID                    Text   `json:"id"`
	TenantID              Text   `json:"tenantId"`
	Name                  Text   `json:"name"`
	AdminStateUp          Bool   `json:"adminStateUp"`
	InboundFilterID       Text   `json:"inboundFilterId"`
	OutboundFilterID      Text   `json:"outboundFilterId"`
	LocalRedirectChainID  Text   `json:"localRedirectChainId"`
	ForwardChainID        Text   `json:"forwardChainId"`
	LoadBalancerID        Text   `json:"loadBalancerId"`
	ASNumber              Int    `json:"asNumber"`
	InboundMirrorIDs      []Text `json:"inboundMirrorIds"`
	OutboundMirrorIDs     []Text `json:"outboundMirrorIds"`
	InboundFilter         Text   `json:"inboundFilter"`
	OutboundFilter        Text   `json:"outboundFilter"`
	LocalRedirectChainURI Text   `json:"localRedirectChain"`
	ForwardChainURI       Text   `json:"forwardChain"`
	LoadBalancerURI       Text   `json:"loadBalancer"`
	Ports                 Text   `json:"ports"`
	PeerPorts             Text   `json:"peerPorts"`
	Routes                Text   `json:"routes"`
	BGPNetworks           Text   `json:"bgpNetworks"`
	BGPPeers              Text   `json:"bgpPeers"`
}

// NewRouter is the request body for a router: no links.
func NewRouter(r sdn.Router) Router {
	return Router{
		ID:               Text(r.ID),
		TenantID:         Text(r.TenantID),
		Name:             Text(r.Name),
		AdminStateUp:     Bool(r.AdminStateUp),
		InboundFilterID:  Text(r.InboundFilter),
		OutboundFilterID: Text(r.OutboundFilter),
		ASNumber:         Int(r.ASNumber),

		LocalRedirectChainID: Text(r.LocalRedirect),
		ForwardChainID:       Text(r.Forward),
	}
}

// Router is the representation of a router, with its links.
func (u URIs) Router(r sdn.Router) Router {
	d, id := NewRouter(r), string(r.ID)
	d.URI = u.text(Routers, id)
	d.InboundMirrorIDs, d.OutboundMirrorIDs = []Text{}, []Text{}
	d.InboundFilter = link(u, Chains, r.InboundFilter)
	d.OutboundFilter = link(u, Chains, r.OutboundFilter)
	d.LocalRedirectChainURI = link(u, Chains, r.LocalRedirect)
	d.ForwardChainURI = link(u, Chains, r.Forward)
	d.Ports = u.text(Routers, id, Ports)
	d.PeerPorts = u.text(Routers, id, PeerPorts)
	d.Routes = u.text(Routers, id, Routes)
	d.BGPNetworks = u.text(Routers, id, bgpNetworks)
	d.BGPPeers = u.text(Routers, id, bgpPeers)
	return d
}

// Noun reads a representation.
func (d Router) Noun() (sdn.Router, error) {
	var c check
	r := sdn.Router{
		ID:             parseID[sdn.RouterID](&c, "id", d.ID),
		TenantID:       sdn.TenantID(d.TenantID),
		Name:           c.name(d.Name),
		AdminStateUp:   bool(d.AdminStateUp),
		InboundFilter:  parseID[sdn.ChainID](&c, "inboundFilterId", d.InboundFilterID),
		OutboundFilter: parseID[sdn.ChainID](&c, "outboundFilterId", d.OutboundFilterID),
		ASNumber:       c.within("asNumber", d.ASNumber, 0, 1<<32-1),
		LocalRedirect:  parseID[sdn.ChainID](&c, "localRedirectChainId", d.LocalRedirectChainID),
		Forward:        parseID[sdn.ChainID](&c, "forwardChainId", d.ForwardChainID),
	}
	return r, c.err()
}

// ParseRouter reads the body of a POST or PUT. Properties that are set and not
// realised are refused with an error that wraps sdn.ErrUnsupported.
func ParseRouter(body []byte) (sdn.Router, error) {
	d := Router{AdminStateUp: true}
	if err := Decode(body, &d); err != nil {
		return sdn.Router{}, err
	}
	r, err := d.Noun()
	if err != nil {
		return sdn.Router{}, err
	}
	return r, refuse("router", []unserved{
		{"loadBalancerId", d.LoadBalancerID != ""},
		{"inboundMirrorIds", len(d.InboundMirrorIDs) > 0},
		{"outboundMirrorIds", len(d.OutboundMirrorIDs) > 0},
	})
}
