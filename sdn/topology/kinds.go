package topology

import "github.com/moatnet/moat/sdn"

// Kinds of stored key beyond those of sdn.
const (
	kindMember   sdn.Kind = "member"   // zone/host: a host in a tunnel zone
	kindOrder    sdn.Kind = "order"    // chain: IDs of its rules, in order
	kindBind     sdn.Kind = "bind"     // host/interface: ID of the bound port
	kindZoneName sdn.Kind = "zonename" // name: ID of the tunnel zone
	kindPrefix   sdn.Kind = "prefix"   // bridge/address_length: ID of the DHCP subnet
	kindMeta     sdn.Kind = "meta"     // head and schema
)

// form is how facts of a kind are stored.
type form struct {
	name   string // first part of the key
	decode func(f *fact, value []byte) error
}

var forms = map[sdn.Kind]form{
	sdn.KindRouter:          {"router", decodeAs[sdn.Router]},
	sdn.KindBridge:          {"bridge", decodeAs[sdn.Bridge]},
	sdn.KindPort:            {"port", decodeAs[sdn.Port]},
	sdn.KindRoute:           {"route", decodeAs[sdn.Route]},
	sdn.KindChain:           {"chain", decodeAs[sdn.Chain]},
	sdn.KindRule:            {"rule", decodeAs[sdn.Rule]},
	sdn.KindHost:            {"host", decodeAs[sdn.Host]},
	sdn.KindTunnelZone:      {"zone", decodeAs[sdn.TunnelZone]},
	sdn.KindPortGroup:       {"portgroup", decodeAs[sdn.PortGroup]},
	sdn.KindPortGroupPort:   {"pgport", decodeAs[sdn.PortGroupPort]},
	sdn.KindIPAddrGroup:     {"ipgroup", decodeAs[sdn.IPAddrGroup]},
	sdn.KindIPAddrGroupAddr: {"ipaddr", decodeAs[sdn.IPAddrGroupAddr]},
	sdn.KindMACPort:         {"mac", decodeAs[sdn.MACPort]},
	sdn.KindIP4MAC:          {"arp", decodeAs[sdn.IP4MAC]},
	sdn.KindDHCPSubnet:      {"dhcp", decodeAs[sdn.DHCPSubnet]},
	sdn.KindDHCPHost:        {"dhcphost", decodeAs[dhcpHost]},
	kindMember:              {"member", decodeAs[sdn.TunnelZoneHost]},
	kindOrder:               {"order", decodeAs[[]string]},
	kindBind:                {"bind", decodeAs[string]},
	kindZoneName:            {"zonename", decodeAs[string]},
	kindPrefix:              {"prefix", decodeAs[string]},
	kindMeta:                {"meta", decodeAs[int]},
}

// kindNamed is the inverse of the forms' names.
var kindNamed = func() map[string]sdn.Kind {
	m := make(map[string]sdn.Kind, len(forms))
	for kind, f := range forms {
		m[f.name] = kind
	}
	return m
}()

// decision says that a kind of key holds what several objects share, and is no
// object that a reader sees.
func decision(k sdn.Kind) bool {
	switch k {
	case kindOrder, kindBind, kindZoneName, kindPrefix, kindMeta:
		return true
	}
	return false
}

// inOrder lists the kinds that readers know, targets of references before
// their referrers.
var inOrder = []sdn.Kind{sdn.KindHost, sdn.KindTunnelZone, sdn.KindPortGroup, sdn.KindIPAddrGroup, sdn.KindIPAddrGroupAddr,
	sdn.KindChain, sdn.KindRule, sdn.KindRouter, sdn.KindBridge, sdn.KindPort, sdn.KindRoute,
	sdn.KindPortGroupPort, sdn.KindMACPort, sdn.KindIP4MAC, sdn.KindDHCPSubnet, sdn.KindDHCPHost}

// typeName is what the API calls a kind of object in its error texts.
var typeName = map[sdn.Kind]string{
	sdn.KindRouter: "Router", sdn.KindBridge: "Bridge", sdn.KindPort: "Port", sdn.KindRoute: "Route",
	sdn.KindChain: "Chain", sdn.KindRule: "Rule", sdn.KindHost: "Host", sdn.KindTunnelZone: "TunnelZone",
	kindMember: "TunnelZoneHost", sdn.KindPortGroup: "PortGroup", sdn.KindPortGroupPort: "PortGroupPort",
	sdn.KindIPAddrGroup: "IPAddrGroup", sdn.KindIPAddrGroupAddr: "IPAddrGroupAddr",
	sdn.KindMACPort: "MacPort", sdn.KindIP4MAC: "IP4Mac", sdn.KindDHCPSubnet: "DhcpSubnet", sdn.KindDHCPHost: "DhcpHost",
}
