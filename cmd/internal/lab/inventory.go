package lab

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
)

// Inventory is what can be seen of a daemon on its host: interfaces, routes and
// nftables tables with the number of their rules, and its pinned namespaces.
func (d *Daemon) Inventory() ([]string, error) {
	host := d.Host
	var seen []string
	err := host.Do(func() error {
		for _, look := range []func() ([]string, error){interfaces, routes, tables} {
			found, err := look()
			if err != nil {
				return err
			}
			seen = append(seen, found...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look around in %s: %w", host.Name, err)
	}
	entries, err := os.ReadDir(d.NetnsDir())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		seen = append(seen, "namespace "+e.Name())
	}
	slices.Sort(seen)
	return seen, nil
}

// Beyond is what stands in now and not in before.
func Beyond(before, now []string) []string {
	return slices.DeleteFunc(slices.Clone(now), func(s string) bool { return slices.Contains(before, s) })
}

func interfaces() ([]string, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	var seen []string
	for _, link := range links {
		seen = append(seen, "interface "+link.Attrs().Name)
	}
	return seen, nil
}

func routes() ([]string, error) {
	list, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{}, 0)
	if err != nil {
		return nil, err
	}
	var seen []string
	for _, r := range list {
		seen = append(seen, "route "+r.String())
	}
	return seen, nil
}

func tables() ([]string, error) {
	c, err := nftables.New()
	if err != nil {
		return nil, err
	}
	list, err := c.ListTables()
	if err != nil {
		return nil, err
	}
	chains, err := c.ListChains()
	if err != nil {
		return nil, err
	}
	var seen []string
	for _, t := range list {
		seen = append(seen, "nftables table "+t.Name)
	}
	for _, ch := range chains {
		rules, err := c.GetRules(ch.Table, ch)
		if err != nil {
			return nil, err
		}
		seen = append(seen, fmt.Sprintf("nftables chain %s %s with %d rules", ch.Table.Name, ch.Name, len(rules)))
	}
	return seen, nil
}
