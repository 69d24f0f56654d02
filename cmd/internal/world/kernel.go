package world

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
)

// kernel describes the namespace of the calling thread.
func kernel() (lines []string, err error) {
	for _, look := range []func() ([]string, error){links, routes, neighbours, filters, sysctls} {
		found, err := look()
		if err != nil {
			return nil, err
		}
		lines = append(lines, found...)
	}
	return lines, nil
}

// links names interfaces by name and not by index, which is the kernel's choice.
func links() (lines []string, err error) {
	all, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	names := map[int]string{}
	for _, l := range all {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	for _, l := range all {
		a := l.Attrs()
		lines = append(lines, fmt.Sprintf("interface %s %s mac %s mtu %d alias %q of %q up %t",
			a.Name, l.Type(), a.HardwareAddr, a.MTU, a.Alias, names[a.MasterIndex], a.RawFlags&1 != 0))
		addresses, err := netlink.AddrList(l, netlink.FAMILY_ALL)
		if err != nil {
			return nil, fmt.Errorf("list addresses of %s: %w", a.Name, err)
		}
		for _, addr := range addresses {
			lines = append(lines, fmt.Sprintf("address %s on %s", addr.IPNet, a.Name))
		}
	}
	return lines, nil
}

func routes() (lines []string, err error) {
	names := map[int]string{}
	all, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	for _, l := range all {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	list, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{}, 0)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	for _, r := range list {
		name := names[r.LinkIndex]
		r.LinkIndex = 0
		lines = append(lines, fmt.Sprintf("route %s by %s type %d table %d", r, name, r.Type, r.Table))
	}
	rules, err := netlink.RuleList(netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list policy rules: %w", err)
	}
	for _, r := range rules {
		lines = append(lines, "policy rule "+r.String())
	}
	return lines, nil
}

// neighbours are those that were put by hand.
func neighbours() (lines []string, err error) {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		list, err := netlink.NeighList(0, family)
		if err != nil {
			return nil, fmt.Errorf("list neighbours: %w", err)
		}
		for _, n := range list {
			if n.State&netlink.NUD_PERMANENT != 0 {
				lines = append(lines, fmt.Sprintf("neighbour %s is %s", n.IP, n.HardwareAddr))
			}
		}
	}
	return lines, nil
}

func filters() (lines []string, err error) {
	c, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("nftables: %w", err)
	}
	tables, err := c.ListTables()
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	for _, t := range tables {
		lines = append(lines, fmt.Sprintf("table %d %s", t.Family, t.Name))
		sets, err := c.GetSets(t)
		if err != nil {
			return nil, fmt.Errorf("list sets of %s: %w", t.Name, err)
		}
		for _, s := range sets {
			elements, err := c.GetSetElements(s)
			if err != nil {
				return nil, fmt.Errorf("list set %s: %w", s.Name, err)
			}
			lines = append(lines, fmt.Sprintf("set %s %s", t.Name, s.Name))
			for _, e := range elements {
				if !s.Dynamic {
					lines = append(lines, fmt.Sprintf("element %s %s %x %x %v", t.Name, s.Name, e.Key, e.Val, e.VerdictData))
				}
			}
		}
	}
	chains, err := c.ListChains()
	if err != nil {
		return nil, fmt.Errorf("list chains: %w", err)
	}
	for _, ch := range chains {
		lines = append(lines, fmt.Sprintf("chain %s %s", ch.Table.Name, ch.Name))
		rules, err := c.GetRules(ch.Table, ch)
		if err != nil {
			return nil, fmt.Errorf("list rules of %s: %w", ch.Name, err)
		}
		for i, r := range rules {
			var text strings.Builder
			for _, e := range r.Exprs {
				if _, counts := e.(*expr.Counter); counts {
					e = &expr.Counter{}
				}
				fmt.Fprintf(&text, " %T%+v", e, e)
			}
			lines = append(lines, fmt.Sprintf("rule %s %s %d %q%s", ch.Table.Name, ch.Name, i, r.UserData, addressless(text.String())))
		}
	}
	return lines, nil
}

// addressless takes out pointers, which a printed expression may hold.
func addressless(s string) string {
	for {
		i := strings.Index(s, "0xc0")
		if i < 0 {
			return s
		}
		end := i + 4
		for end < len(s) && strings.IndexByte("0123456789abcdef", s[end]) >= 0 {
			end++
		}
		s = s[:i] + "*" + s[end:]
	}
}

// settings are the sysctls of a namespace that count: those of its IP stack and of its
// interfaces that Moat sets, and those that the kernel sets with them.
var settings = []string{
	"ipv4/ip_forward", "ipv4/conf/all/*", "ipv4/conf/default/*", "ipv4/conf/*/rp_filter", "ipv4/icmp_*", "ipv4/fib_multipath_*", "ipv6/conf/*/disable_ipv6", "ipv6/conf/*/forwarding", "bridge/*",
}

func sysctls() (lines []string, err error) {
	for _, pattern := range settings {
		files, err := filepath.Glob("/proc/sys/net/" + pattern)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			value, err := os.ReadFile(f)
			if err != nil {
				continue // some are for writing alone
			}
			lines = append(lines, fmt.Sprintf("sysctl %s %s", strings.TrimPrefix(f, "/proc/sys/net/"), bytes.TrimSpace(value)))
		}
	}
	return lines, nil
}
