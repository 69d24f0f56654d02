package node

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/sdn"
)

// lifeline is the interface by which this host itself reaches the world. The
// engine moves a bound interface into a router's namespace: with this one the host
// would be cut off, and whoever bound it with it.
type lifeline struct {
	host   sdn.HostID
	uplink string // an operator's own wish (--uplink), which is granted
}

// refuse returns an error that wraps sdn.ErrConflict for a binding that would cut
// this host off. It is asked in the host's namespace.
func (l lifeline) refuse(b sdn.Binding) error {
	if b.Host != l.host || b.Interface == "" || b.Interface == l.uplink || b.Interface == sdn.InterfaceName(b.Port) {
		return nil
	}
	link, err := netlink.LinkByName(b.Interface)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at interface %s: %w", b.Interface, err)
	}
	routes, err := netlink.RouteList(link, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list the routes of interface %s: %w", b.Interface, err)
	}
	for _, r := range routes {
		if r.Dst == nil || r.Dst.IP.IsUnspecified() {
			return fmt.Errorf("bind port %s: interface %s has this host's default route, and the host would be cut off without it; to give it to the provider router start moat with --uplink %s: %w",
				b.Port, b.Interface, b.Interface, sdn.ErrConflict)
		}
	}
	return nil
}
