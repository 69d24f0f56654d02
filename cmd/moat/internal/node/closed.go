package node

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"

	"github.com/moatnet/moat/cmd/moat/internal/config"
)

// closedPorts are the TCP ports of this machine that belong to Moat, and so are closed to
// pods: the API's, unless it is on the loopback, where pods have no way to, and
// those of an etcd at one of the machine's addresses.
func closedPorts(c config.Config) ([]uint16, error) {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen %q: %w", c.Listen, err)
	}
	var all []uint16
	if at, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !at.IsLoopback()) {
		port, err := portOf("listen", c.Listen)
		if err != nil {
			return nil, err
		}
		all = append(all, port)
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the host's addresses: %w", err)
	}
	for _, endpoint := range c.Etcd.Endpoints {
		u, err := url.Parse(endpoint)
		if err != nil || u.Port() == "" || !isOneOf(u.Hostname(), own) {
			continue // a unix socket, or another machine's affair
		}
		port, err := portOf("etcd.endpoints", u.Host)
		if err != nil {
			return nil, err
		}
		all = append(all, port)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func isOneOf(host string, own []net.Addr) bool {
	if host == "localhost" {
		return true
	}
	at := net.ParseIP(host)
	return at != nil && (at.IsLoopback() || slices.ContainsFunc(own, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(at)
	}))
}

// portOf is the number of an address's port; key is named in the error.
func portOf(key, address string) (uint16, error) {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0, fmt.Errorf("%s %q: %w", key, address, err)
	}
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil || number == 0 {
		return 0, fmt.Errorf("%s %q: port %q is no number from 1 to 65535, and cannot be closed to pods; give one", key, address, text)
	}
	return uint16(number), nil
}
