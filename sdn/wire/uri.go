package wire

import (
	"net/url"
	"strings"
)

// The collections, and the names of sub-collections, as path segments.
const (
	Login        = "login"
	SystemState  = "system_state"
	Tenants      = "tenants"
	Routers      = "routers"
	Bridges      = "bridges"
	Ports        = "ports"
	PeerPorts    = "peer_ports"
	VXLANPorts   = "vxlan_ports"
	Link         = "link"
	Chains       = "chains"
	Rules        = "rules"
	Routes       = "routes"
	Hosts        = "hosts"
	Interfaces   = "interfaces"
	TunnelZones  = "tunnel_zones"
	PortGroups   = "port_groups"
	IPAddrGroups = "ip_addr_groups"
	IPAddrs      = "ip_addrs"
	Versions     = "versions"
	MACTable     = "mac_table"
	ARPTable     = "arp_table"
	VLANs        = "vlans"
	DHCP         = "dhcp"
	DHCPV6       = "dhcpV6"
)

// The query parameters that narrow a list to one tenant, and one of port groups
// to those of one port.
const (
	TenantQuery = "tenant_id"
	PortQuery   = "port_id"
)

// URIs builds the URIs of resources below a base.
type URIs struct{ base string }

// NewURIs takes a base such as "http://127.0.0.1:8181/midonet-api", with or
// without a slash at its end; the empty base makes paths.
func NewURIs(base string) URIs { return URIs{base: strings.TrimRight(base, "/")} }

// At is the URI of the resource that the segments lead to. Segments are
// escaped.
func (u URIs) At(segments ...string) string {
	var b strings.Builder
	b.WriteString(u.base)
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// Of is the URI of a collection narrowed to one tenant; the zero tenant means
// all.
func (u URIs) Of(collection, tenant string) string {
	if tenant == "" {
		return u.At(collection)
	}
	return u.At(collection) + "?" + url.Values{TenantQuery: {tenant}}.Encode()
}

// link is the URI of an object in a collection, or null for the zero ID.
func link[T ~string](u URIs, collection string, id T) Text {
	if id == "" {
		return ""
	}
	return u.text(collection, string(id))
}

func (u URIs) text(segments ...string) Text { return Text(u.At(segments...)) }
