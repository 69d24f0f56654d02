package node

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
	"go4.org/netipx"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/tenant"
)

// defaultMTU is used where there is no interface to ask.
const defaultMTU = 1500

// uplinkMTU is the MTU of the configured uplink, or of the interface that the
// host's default route leaves by. An uplink is looked for on the host and in the
// provider router's namespace, where an earlier start has put it; of one that is
// still to come nothing is known.
func uplinkMTU(c config.Config, installation string) (int, error) {
	switch {
	case c.MTU != 0:
		return c.MTU, nil
	case c.Uplink == "":
		return defaultRouteMTU()
	}
	mtu, err := linkMTU(c.Uplink)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		mtu, err = movedMTU(c, installation)
	}
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return defaultMTU, nil
	}
	if err != nil {
		return 0, fmt.Errorf("MTU of uplink %s: %w", c.Uplink, err)
	}
	return mtu, nil
}

func linkMTU(name string) (int, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return 0, err
	}
	return link.Attrs().MTU, nil
}

// movedMTU is the uplink's MTU in the provider router's namespace, if there is
// one yet.
func movedMTU(c config.Config, installation string) (mtu int, err error) {
	router, err := tenant.ProviderRouter(installation)
	if err != nil {
		return 0, err
	}
	path := filepath.Join(c.RunNetns, sdn.NamespaceName(sdn.DeviceID(router)))
	err = ns.WithNetNSPath(path, func(ns.NetNS) (err error) {
		mtu, err = linkMTU(c.Uplink)
		return err
	})
	if errors.As(err, new(ns.NSPathNotExistErr)) || errors.As(err, new(ns.NSPathNotNSErr)) {
		return defaultMTU, nil
	}
	return mtu, err
}

func defaultRouteMTU() (int, error) {
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
	var own []ipam.Range // what the host gets a route to, or has one to already
	for _, r := range c.Networks.Ranges(c.Installation()) {
		if !r.Foreign && !r.Overlap {
			own = append(own, r)
		}
	}
	for _, r := range routes {
		dst, ok := destination(r)
		if !ok || isOwn(r.LinkIndex, installation) {
			continue
		}
		for _, r := range own {
			if r.Prefix.Overlaps(dst) {
				return fmt.Errorf("%s %s overlaps %s, which this host reaches by another way already; give another", r.Key, r.Prefix, dst)
			}
		}
	}
	return nil
}

// refuseFirst refuses, at an embedded installation's first start, what overlaps:
// once its plan is recorded it cannot be changed.
func refuseFirst(c config.Config) error {
	_, err := os.Stat(etcdDir(c))
	if len(c.Etcd.Endpoints) > 0 || !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return refuseOverlap(c, "")
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
