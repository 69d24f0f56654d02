package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/filter"
)

// RouteProtocol is the number that marks a kernel route as Moat's (rtm_protocol;
// free in /etc/iproute2/rt_protos).
const RouteProtocol = 77

// Config is what a plan needs beside the topology.
type Config struct {
	Installation string     // name that stamps every kernel object
	Host         sdn.HostID // the host that is planned for
	MTU          int        // bytes, of every device
	Uplink       Uplink     // zero: no pair to the host
}

// Uplink describes the veth pair between the provider router and the host. It
// is made while the router port Port is bound, on Config.Host, to the interface
// sdn.InterfaceName(Port).
type Uplink struct {
	Port        sdn.PortID
	HostAddress netip.Prefix   // of the host's end
	HostRoutes  []netip.Prefix // what the host reaches through it: supernet, transit pool
	Masquerade  []netip.Prefix // sources that get the host's own address where they leave the machine
	Closed      []uint16       // the host's own TCP ports that nobody behind the uplink reaches
}

// Kinds of object in stamps.
const (
	KindHome   = "home"   // a namespace; the stamp is its loopback's alias
	KindBridge = "bridge" // a bridge's interface
	KindPort   = "port"   // an interface made for a port
	KindGuest  = "guest"  // an interface of someone else's that is bound to a port
	KindUplink = "uplink" // the host's end of the uplink, and the rules that let it pass
)

func (c Config) stamp(kind, id string) string { return sdn.Stamp(c.Installation, kind, id) }

// PortStamp is the alias of the interface that was made for a port.
func (c Config) PortStamp(id sdn.PortID) string { return c.stamp(KindPort, string(id)) }

// GuestStamp is the alias of a foreign interface that is bound to a port.
func (c Config) GuestStamp(id sdn.PortID) string { return c.stamp(KindGuest, string(id)) }

// UplinkStamp marks what the uplink needs on the host.
func (c Config) UplinkStamp() string { return c.stamp(KindUplink, string(c.Uplink.Port)) }

// HomeStamp is the alias of the loopback in a namespace of Moat's.
func (c Config) HomeStamp(d sdn.DeviceID) string { return c.stamp(KindHome, string(d)) }

// MACOf is the MAC of a port or bridge for which the topology names none: a
// unicast, locally administered address made of the ID's digest.
func MACOf[T ~string](id T) string {
	sum := sha256.Sum256([]byte(id))
	mac := net.HardwareAddr(sum[:6])
	mac[0] = mac[0]&^0x01 | 0x02
	return mac.String()
}

func portMAC(p sdn.Port) string {
	if p.MAC == "" {
		return MACOf(p.ID)
	}
	return p.MAC
}

// CheckPort returns an error that wraps sdn.ErrUnsupported for a port that the
// kernel engine cannot realise.
func CheckPort(p sdn.Port) error {
	if p.VLAN != 0 {
		return fmt.Errorf("port %s: vlanId %d: VLAN-aware bridges: %w", p.ID, p.VLAN, sdn.ErrUnsupported)
	}
	if p.Address.IsValid() && !p.Address.Addr().Is4() {
		return fmt.Errorf("port %s: portAddress %s: IPv6 at a router: %w", p.ID, p.Address, sdn.ErrUnsupported)
	}
	return nil
}

// CheckRoute returns an error that wraps sdn.ErrUnsupported for a route that
// the kernel engine cannot realise.
func CheckRoute(r sdn.Route) error {
	if r.Src.IsValid() && !r.Src.Addr().Is4() {
		return fmt.Errorf("route %s: srcNetworkAddr %s: not IPv4: %w", r.ID, r.Src, sdn.ErrUnsupported)
	}
	if r.Type == sdn.RouteLocal && matchesSource(r) {
		return fmt.Errorf("route %s: srcNetworkAddr %s: a Local route that matches the source: %w", r.ID, r.Src, sdn.ErrUnsupported)
	}
	if !r.Dst.IsValid() || !r.Dst.Addr().Is4() {
		return fmt.Errorf("route %s: dstNetworkAddr %s: not IPv4: %w", r.ID, r.Dst, sdn.ErrUnsupported)
	}
	return nil
}

// HostTable is the name of the installation's nftables table on the host:
// "moat-" and 11 hex digits of the name's digest.
func (c Config) HostTable() string {
	sum := sha256.Sum256([]byte(c.Installation))
	return "moat-" + hex.EncodeToString(sum[:])[:11]
}

// Stamped says whether a text is a stamp of the installation.
func (c Config) Stamped(s string) bool {
	return strings.HasPrefix(s, strings.TrimSuffix(c.stamp("", ""), ":"))
}

// TablePrefix begins the names of the installation's nftables tables in
// namespaces of its own.
func (c Config) TablePrefix() string { return filter.TablePrefix(c.Installation) }
