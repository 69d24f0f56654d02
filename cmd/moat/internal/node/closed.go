package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/config"
)

// closedPorts are the TCP ports of this machine that belong to Moat, and so are closed to
// pods: the API's, unless it is on the loopback, where pods have no way to, and
// those of an etcd, and of an API that another process serves, at one of the machine's
// addresses.
func closedPorts(c config.Config, lookup lookup) ([]uint16, error) {
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
	for key, endpoints := range map[string][]string{"etcd.endpoints": c.Etcd.Endpoints, "endpoint.urls": c.Endpoint.URLs} {
		for _, endpoint := range endpoints {
			at := placeOf(endpoint)
			host, _, err := net.SplitHostPort(at)
			if err != nil || !isOneOf(host, own, lookup) {
				continue // a unix socket, or another machine's affair
			}
			port, err := portOf(key, at)
			if err != nil {
				return nil, err
			}
			all = append(all, port)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// placeOf is the HOST:PORT of an endpoint, which etcd's client takes with and without a
// scheme; "" where it has none.
func placeOf(endpoint string) string {
	if strings.HasPrefix(endpoint, "unix:") || strings.HasPrefix(endpoint, "unixs:") {
		return ""
	}
	if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
		return u.Host
	}
	return endpoint
}

// nameWait is how long it is waited for what a name stands for.
const nameWait = 2 * time.Second

// lookup is net.Resolver's LookupNetIP.
type lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// isOneOf says whether a host, by address or by name, is this machine.
func isOneOf(host string, own []net.Addr, lookup lookup) bool {
	if host == "localhost" {
		return true
	}
	at, err := netip.ParseAddr(host)
	if err == nil {
		return isOurs(at, own)
	}
	ctx, cancel := context.WithTimeout(context.Background(), nameWait)
	defer cancel()
	found, err := lookup(ctx, "ip", host)
	return err == nil && slices.ContainsFunc(found, func(at netip.Addr) bool { return isOurs(at, own) })
}

func isOurs(at netip.Addr, own []net.Addr) bool {
	return at.Unmap().IsLoopback() || slices.ContainsFunc(own, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(net.IP(at.AsSlice()))
	})
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
