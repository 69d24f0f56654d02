package sdn

import "strings"

// nameDigits is how many hex digits of an ID go into kernel names: with the
// prefix they fill the 15 bytes that an interface name may have (IFNAMSIZ-1).
const nameDigits = 11

func digits[T ~string](id T) string {
	s := strings.ReplaceAll(string(id), "-", "")
	if len(s) > nameDigits {
		s = s[:nameDigits]
	}
	return s
}

// InterfaceName is the name of the kernel interface that plays a port or a
// bridge: "moat" and the first 11 hex digits of its ID.
func InterfaceName[T ~string](id T) string { return "moat" + digits(id) }

// IsInterfaceName says whether InterfaceName makes such names.
func IsInterfaceName(name string) bool {
	hex, ok := strings.CutPrefix(name, "moat")
	return ok && len(hex) == nameDigits && strings.Trim(hex, "0123456789abcdef") == ""
}

// NamespaceName is the name, under /run/netns, of the namespace that a router,
// or a bridge with a home of its own, lives in.
func NamespaceName(id DeviceID) string { return "moat-" + digits(id) }

// Stamp is the text that marks a kernel object as Moat's: installation, kind
// of object, ID. It goes into interface aliases (at most 255 bytes) and
// nftables comments (at most 128).
func Stamp(installation, kind, id string) string {
	return StampPrefix(installation) + kind + ":" + id
}

// StampPrefix begins every stamp of an installation, and of no other.
func StampPrefix(installation string) string { return "moat:" + installation + ":" }

// Wiring says how the interface of a bound bridge port is to be made, so that
// the engine finds nothing left to write.
type Wiring struct {
	Namespace string // path of the network namespace of the host end; "" is the host's own
	Master    string // bridge interface in that namespace; "" when the engine enslaves it itself
	Interface string // name of the host end
	Alias     string // stamp of the host end
	MTU       int    // bytes, of both ends
}

// PortInterface is the name of the interface that plays a port inside the
// namespace of its device: the bound interface, or one named after the port.
// The router port that a bridge's own interface plays (Home.Self) has the
// bridge's name, and the bridge port at the other end of that link has no
// interface: "".
func PortInterface(v View, p Port) string {
	if p.Interface != "" {
		return p.Interface
	}
	peer, linked := v.Port(p.Peer)
	switch {
	case linked && p.Kind == RouterPort && peer.Kind == BridgePort:
		if b, ok := v.Bridge(BridgeID(peer.Device)); ok && b.Home.Self == p.ID {
			return InterfaceName(b.ID)
		}
	case linked && p.Kind == BridgePort && peer.Kind == RouterPort:
		if b, ok := v.Bridge(BridgeID(p.Device)); ok && b.Home.Self == peer.ID {
			return ""
		}
	}
	return InterfaceName(p.ID)
}
