package topology

import (
	"slices"

	"github.com/moatnet/moat/sdn"
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
	tenantOfPortGroup
	groupOfGroupPort
	portOfGroupPort
	groupOfAddr
	groupOfRule
	bridgeOfMAC
	portOfMAC
	bridgeOfARP
	bridgeOfSubnet
	subnetOfHost
	ofKind    // to a kind, of every object that is seen
	ofTenant  // to nothing, of every tenant that owns one
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
	tenantOfPortGroup: sdn.KindPortGroup, groupOfGroupPort: sdn.KindPortGroupPort, portOfGroupPort: sdn.KindPortGroupPort,
	groupOfAddr: sdn.KindIPAddrGroupAddr, groupOfRule: sdn.KindRule,
	bridgeOfMAC: sdn.KindMACPort, portOfMAC: sdn.KindMACPort, bridgeOfARP: sdn.KindIP4MAC,
	bridgeOfSubnet: sdn.KindDHCPSubnet, subnetOfHost: sdn.KindDHCPHost,
}

// pointingAt lists the relations through which a referrer's picture depends on
// whether an object of the kind exists. A rule shows the group that it names
// also when that is gone.
var pointingAt = map[sdn.Kind][]relation{
	sdn.KindRouter:      {deviceOfPort, routerOfRoute},
	sdn.KindBridge:      {deviceOfPort, bridgeOfMAC, bridgeOfARP, bridgeOfSubnet},
	sdn.KindPort:        {peerOfPort, selfOfBridge, hopOfRoute, portOfGroupPort, portOfMAC},
	sdn.KindChain:       {filterOfPort, filterOfRouter, filterOfBridge, chainOfRule, jumpOfRule},
	sdn.KindHost:        {hostOfPort, hostOfMember},
	sdn.KindTunnelZone:  {zoneOfMember},
	sdn.KindPortGroup:   {groupOfGroupPort},
	sdn.KindIPAddrGroup: {groupOfAddr},
	sdn.KindDHCPSubnet:  {subnetOfHost},
}

// owned lists the relations to a tenant.
var owned = []relation{tenantOfRouter, tenantOfBridge, tenantOfChain, tenantOfPortGroup}

// edge is one relation to one object.
type edge struct {
	rel relation
	to  string
}

// index lists, per edge, the IDs of the objects that have it, in order.
type index map[edge]*ids

func (x index) add(id string, edges []edge) {
	for _, e := range edges {
		set := x[e]
		if set == nil {
			set = &ids{}
			x[e] = set
		}
		set.add(id)
	}
}

func (x index) remove(id string, edges []edge) {
	for _, e := range edges {
		set := x[e]
		if set == nil {
			continue
		}
		if set.remove(id); set.len() == 0 {
			delete(x, e)
		}
	}
}

func (x index) equal(y index) bool {
	if len(x) != len(y) {
		return false
	}
	for e, set := range x {
		if set.len() != y[e].len() || !slices.Equal(slices.Collect(set.all()), slices.Collect(y[e].all())) {
			return false
		}
	}
	return true
}
