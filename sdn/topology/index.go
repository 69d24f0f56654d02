package topology

import (
	"slices"

	"github.com/moatnet/moat/sdn"
)

// Kinds of stored key beyond those of sdn.
const (
	kindMember   sdn.Kind = "member"   // zone/host: a host in a tunnel zone
	kindOrder    sdn.Kind = "order"    // chain: IDs of its rules, in order
	kindBind     sdn.Kind = "bind"     // host/interface: ID of the bound port
	kindZoneName sdn.Kind = "zonename" // name: ID of the tunnel zone
	kindMeta     sdn.Kind = "meta"     // head and schema
)

// relation is how one object refers to another. Its index lists the referrers.
type relation uint8

const (
	deviceOfPort relation = iota
	peerOfPort
	hostOfPort
	filterOfPort
	filterOfRouter
	filterOfBridge
	tenantOfRouter
	tenantOfBridge
	tenantOfChain
	homeOfBridge
	selfOfBridge
	routerOfRoute
	hopOfRoute
	chainOfRule
	jumpOfRule
	zoneOfMember
	hostOfMember
	relations // their number
)

// referrer is the kind of object at the near end of each relation.
var referrer = [relations]sdn.Kind{
	deviceOfPort: sdn.KindPort, peerOfPort: sdn.KindPort, hostOfPort: sdn.KindPort, filterOfPort: sdn.KindPort,
	filterOfRouter: sdn.KindRouter, tenantOfRouter: sdn.KindRouter,
	filterOfBridge: sdn.KindBridge, tenantOfBridge: sdn.KindBridge, homeOfBridge: sdn.KindBridge, selfOfBridge: sdn.KindBridge,
	tenantOfChain: sdn.KindChain,
	routerOfRoute: sdn.KindRoute, hopOfRoute: sdn.KindRoute,
	chainOfRule: sdn.KindRule, jumpOfRule: sdn.KindRule,
	zoneOfMember: kindMember, hostOfMember: kindMember,
}

// pointingAt lists the relations through which a referrer's picture depends on
// whether an object of the kind exists.
var pointingAt = map[sdn.Kind][]relation{
	sdn.KindRouter:     {deviceOfPort, routerOfRoute},
	sdn.KindBridge:     {deviceOfPort},
	sdn.KindPort:       {peerOfPort, selfOfBridge, hopOfRoute},
	sdn.KindChain:      {filterOfPort, filterOfRouter, filterOfBridge, chainOfRule, jumpOfRule},
	sdn.KindHost:       {hostOfPort, hostOfMember},
	sdn.KindTunnelZone: {zoneOfMember},
}

// edge is one relation to one object.
type edge struct {
	rel relation
	to  string
}

// index lists, per edge, the IDs of the objects that have it, in order.
type index map[edge][]string

func (x index) add(id string, edges []edge) {
	for _, e := range edges {
		if at, found := slices.BinarySearch(x[e], id); !found {
			x[e] = slices.Insert(x[e], at, id)
		}
	}
}

func (x index) remove(id string, edges []edge) {
	for _, e := range edges {
		at, found := slices.BinarySearch(x[e], id)
		switch {
		case !found:
		case len(x[e]) == 1:
			delete(x, e)
		default:
			x[e] = slices.Delete(x[e], at, at+1)
		}
	}
}

// edges lists what an object refers to.
func edges(body any) []edge {
	var list []edge
	add := func(rel relation, to string) {
		if to != "" {
			list = append(list, edge{rel, to})
		}
	}
	switch b := body.(type) {
	case sdn.Router:
		list = append(list, edge{tenantOfRouter, string(b.TenantID)})
		add(filterOfRouter, string(b.InboundFilter))
		add(filterOfRouter, string(b.OutboundFilter))
	case sdn.Bridge:
		list = append(list, edge{tenantOfBridge, string(b.TenantID)})
		add(filterOfBridge, string(b.InboundFilter))
		add(filterOfBridge, string(b.OutboundFilter))
		add(homeOfBridge, string(b.Home.Device))
		add(selfOfBridge, string(b.Home.Self))
	case sdn.Port:
		add(deviceOfPort, string(b.Device))
		add(peerOfPort, string(b.Peer))
		add(hostOfPort, string(b.Host))
		add(filterOfPort, string(b.InboundFilter))
		add(filterOfPort, string(b.OutboundFilter))
	case sdn.Route:
		add(routerOfRoute, string(b.Router))
		add(hopOfRoute, string(b.NextHopPort))
	case sdn.Chain:
		list = append(list, edge{tenantOfChain, string(b.TenantID)})
	case sdn.Rule:
		add(chainOfRule, string(b.Chain))
		add(jumpOfRule, string(b.JumpChain))
	case sdn.TunnelZoneHost:
		add(zoneOfMember, string(b.Zone))
		add(hostOfMember, string(b.Host))
	}
	return list
}
