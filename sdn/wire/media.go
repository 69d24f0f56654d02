package wire

import "strings"

// JSON is the media type that nearly every resource accepts and produces
// beside its own.
const JSON = "application/json"

// ErrorType is the media type of error bodies.
const ErrorType = vendor + "Error-v1+json"

// TokenType is the media type of the answer to a login.
const TokenType = vendor + "Token-v1+json"

const (
	vendor     = "application/vnd.org.midonet."
	collection = "collection."
)

// The media types of the 5.x resources.
const (
	ApplicationV5       = vendor + "Application-v5+json"
	SystemStateV2       = vendor + "SystemState-v2+json"
	TenantV2            = vendor + "Tenant-v2+json"
	RouterV3            = vendor + "Router-v3+json"
	BridgeV4            = vendor + "Bridge-v4+json"
	BridgeV5            = vendor + "Bridge-v5+json"
	PortV3              = vendor + "Port-v3+json"
	PortV4              = vendor + "Port-v4+json"
	PortLinkV1          = vendor + "PortLink-v1+json"
	ChainV1             = vendor + "Chain-v1+json"
	RuleV2              = vendor + "Rule-v2+json"
	RouteV1             = vendor + "Route-v1+json"
	HostV3              = vendor + "Host-v3+json"
	InterfaceV1         = vendor + "Interface-v1+json"
	HostInterfacePortV1 = vendor + "HostInterfacePort-v1+json"
	TunnelZoneV1        = vendor + "TunnelZone-v1+json"
	TunnelZoneHostV1    = vendor + "TunnelZoneHost-v1+json"
	GreTunnelZoneHostV1 = vendor + "GreTunnelZoneHost-v1+json"
	PortGroupV1         = vendor + "PortGroup-v1+json"
	PortGroupPortV1     = vendor + "PortGroupPort-v1+json"
	IPAddrGroupV1       = vendor + "IpAddrGroup-v1+json"
	IPAddrGroupAddrV1   = vendor + "IpAddrGroupAddr-v1+json"
	MACPortV2           = vendor + "MacPort-v2+json"
	IP4MACV1            = vendor + "IP4Mac-v1+json"
	DHCPSubnetV2        = vendor + "DhcpSubnet-v2+json"
	DHCPHostV2          = vendor + "DhcpHost-v2+json"
	DHCPV6SubnetV1      = vendor + "DhcpV6Subnet-v1+json"
)

// Collection is the media type of a list of things of type media.
func Collection(media string) string {
	if rest, ok := strings.CutPrefix(media, vendor); ok {
		return vendor + collection + rest
	}
	return media
}
