package node

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
	"go4.org/netipx"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/sdn"
)

// defaultMTU is used where the host has no default route.
const defaultMTU = 1500

// uplinkMTU is the MTU of the interface that the host's default route leaves
// by, or of the configured uplink.
func uplinkMTU(c config.Config) (int, error) {
	if c.MTU != 0 {
		return c.MTU, nil
	}
	if c.Uplink != "" {
		link, err := netlink.LinkByName(c.Uplink)
		if err != nil {
			return defaultMTU, nil //nolint:nilerr // it was moved into the provider's namespace by an earlier start
		}
		return link.Attrs().MTU, nil
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return 0, fmt.Errorf("list the host's routes: %w", err)
	}
	for _, r := range routes {
		if r.Dst != nil && r.Dst.IP.IsUnspecified() && r.LinkIndex > 0 {
			link, err := netlink.LinkByIndex(r.LinkIndex)
			if err != nil {
				return 0, fmt.Errorf("find the uplink: %w", err)
			}
			return link.Attrs().MTU, nil
		}
	}
	return defaultMTU, nil
}

// refuseOverlap keeps a pool off the networks that the host reaches already,
// another installation's among them: whoever is there would lose its answers.
func refuseOverlap(c config.Config, installation string) error {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list the host's routes: %w", err)
	}
	pools := []struct {
		key, flag string
		prefix    netip.Prefix
	}{{"supernet", "supernet", c.Supernet}, {"transitPool", "transit-pool", c.TransitPool}}
	for _, r := range routes {
		dst, ok := destination(r)
		if !ok || isOwn(r.LinkIndex, installation) {
			continue
		}
		for _, pool := range pools {
			if pool.prefix.Overlaps(dst) {
				return fmt.Errorf("%s %s overlaps %s, which this host reaches by another way already; give another with --%s", pool.key, pool.prefix, dst, pool.flag)
			}
		}
	}
	return nil
}

// destination is a route's, unless it is the default route.
func destination(r netlink.Route) (netip.Prefix, bool) {
	if r.Dst == nil || r.Dst.IP.IsUnspecified() {
		return netip.Prefix{}, false
	}
	return netipx.FromStdIPNet(r.Dst)
}

// isOwn says whether a link is this installation's, left by an earlier start.
func isOwn(index int, installation string) bool {
	link, err := netlink.LinkByIndex(index)
	return err == nil && strings.HasPrefix(link.Attrs().Alias, sdn.StampPrefix(installation))
}
