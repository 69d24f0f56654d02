package wire

import (
	"fmt"

	"github.com/moatnet/moat/sdn"
)

// Route is resource Route-v1.
type Route struct {
	URI              Text `json:"uri"`
	ID               Text `json:"id"`
	Type             Text `json:"type"`
	SrcNetworkAddr   Text `json:"srcNetworkAddr"`
	SrcNetworkLength Int  `json:"srcNetworkLength"`
	DstNetworkAddr   Text `json:"dstNetworkAddr"`
	DstNetworkLength Int  `json:"dstNetworkLength"`
	NextHopPort      Text `json:"nextHopPort"`
	NextHopGateway   Text `json:"nextHopGateway"`
	Weight           Int  `json:"weight"`
	Attributes       Text `json:"attributes"`
	Learned          Bool `json:"learned"`
	RouterID         Text `json:"routerId"`
	Router           Text `json:"router"`
}

// NewRoute is the request body for a route: no links.
func NewRoute(r sdn.Route) Route {
	d := Route{
		ID:             Text(r.ID),
		Type:           Text(r.Type),
		NextHopPort:    Text(r.NextHopPort),
		NextHopGateway: addrText(r.Gateway),
		Weight:         Int(r.Weight),
		Attributes:     Text(r.Attributes),
		RouterID:       Text(r.Router),
	}
	d.SrcNetworkAddr, d.SrcNetworkLength = split(r.Src)
	d.DstNetworkAddr, d.DstNetworkLength = split(r.Dst)
	return d
}

// Route is the representation of a route, with its links.
func (u URIs) Route(r sdn.Route) Route {
	d := NewRoute(r)
	d.URI = u.text(Routes, string(r.ID))
	d.Router = link(u, Routers, r.Router)
	return d
}

// Noun reads a representation.
func (d Route) Noun() (sdn.Route, error) {
	var c check
	c.need("srcNetworkAddr", d.SrcNetworkAddr)
	c.need("dstNetworkAddr", d.DstNetworkAddr)
	r := sdn.Route{
		ID:          parseID[sdn.RouteID](&c, "id", d.ID),
		Router:      parseID[sdn.RouterID](&c, "routerId", d.RouterID),
		Type:        sdn.RouteType(d.Type),
		Src:         c.prefix("srcNetworkAddr", d.SrcNetworkAddr, "srcNetworkLength", d.SrcNetworkLength),
		Dst:         c.prefix("dstNetworkAddr", d.DstNetworkAddr, "dstNetworkLength", d.DstNetworkLength),
		NextHopPort: parseID[sdn.PortID](&c, "nextHopPort", d.NextHopPort),
		Gateway:     c.ipv4("nextHopGateway", d.NextHopGateway),
		Weight:      c.within("weight", d.Weight, 0, 1<<31-1),
		Attributes:  string(d.Attributes),
	}
	return r, c.err()
}

const routeFip64 = "Fip64"

// ErrRouteType is the answer to a route of a type that the release lacks.
var ErrRouteType = Refuse(sdn.ErrInvalid, "This type of route is invalid.")

// ParseRoute reads the body of a POST.
func ParseRoute(body []byte) (sdn.Route, error) {
	var d Route
	if err := Decode(body, &d); err != nil {
		return sdn.Route{}, err
	}
	switch sdn.RouteType(d.Type) {
	case sdn.RouteNormal, sdn.RouteBlackHole, sdn.RouteReject, sdn.RouteLocal:
		return d.Noun()
	case routeFip64:
		return sdn.Route{}, fmt.Errorf("route: type %s is %w", routeFip64, sdn.ErrUnsupported)
	}
	return sdn.Route{}, ErrRouteType
}
