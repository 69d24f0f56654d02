package topology

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// dhcpHost is a host as it is stored: with the ID of its subnet, which is below
// a bridge and has a prefix, both of which the host only shows.
type dhcpHost struct {
	Subnet string
	Host   sdn.DHCPHost
}

// DHCPHosts implements sdn.DHCPAPI.
func (t *Topology) DHCPHosts(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix) ([]sdn.DHCPHost, error) {
	return read(ctx, t, func(g *graph) ([]sdn.DHCPHost, error) {
		id, _, err := g.subnet(bridge, p)
		if err != nil {
			return nil, err
		}
		list := g.hostsIn(id)
		for i := range list {
			list[i].Options = slices.Clone(list[i].Options)
		}
		return list, nil
	})
}

// DHCPHost implements sdn.DHCPAPI.
func (t *Topology) DHCPHost(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix, mac string) (sdn.DHCPHost, error) {
	return read(ctx, t, func(g *graph) (sdn.DHCPHost, error) {
		id, _, err := g.subnet(bridge, p)
		if err != nil {
			return sdn.DHCPHost{}, err
		}
		h, ok := g.dhcpHost(dhcpHostID(id, mac))
		if !ok {
			return sdn.DHCPHost{}, missing(sdn.KindDHCPHost, mac)
		}
		h.Options = slices.Clone(h.Options)
		return h, nil
	})
}

// CreateDHCPHost implements sdn.DHCPAPI.
func (t *Topology) CreateDHCPHost(ctx context.Context, h sdn.DHCPHost) error {
	if err := validDHCPHost(&h); err != nil {
		return err
	}
	_, err := t.write(ctx, func(x *txn) error {
		subnet, err := x.subnet(h.Bridge, h.Subnet)
		if err != nil {
			return err
		}
		return x.createHost(subnet, h)
	})
	return err
}

func (x *txn) createHost(subnet string, h sdn.DHCPHost) error {
	id := dhcpHostID(subnet, h.MAC)
	if x.graph.has(sdn.KindDHCPHost, id) {
		return exists(sdn.KindDHCPHost, h.MAC)
	}
	return x.create(sdn.KindDHCPHost, id, dhcpHost{subnet, h})
}

// UpdateDHCPHost implements sdn.DHCPAPI.
func (t *Topology) UpdateDHCPHost(ctx context.Context, mac string, h sdn.DHCPHost) error {
	if err := validDHCPHost(&h); err != nil {
		return err
	}
	_, err := t.write(ctx, func(x *txn) error {
		subnet, err := x.subnet(h.Bridge, h.Subnet)
		if err != nil {
			return err
		}
		k, err := x.knownHost(subnet, mac)
		if err != nil {
			return err
		}
		if k.id == dhcpHostID(subnet, h.MAC) {
			x.put(k, dhcpHost{subnet, h})
			return nil
		}
		x.remove(k)
		return x.createHost(subnet, h)
	})
	return err
}

// DeleteDHCPHost implements sdn.DHCPAPI.
func (t *Topology) DeleteDHCPHost(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix, mac string) error {
	_, err := t.write(ctx, func(x *txn) error {
		subnet, err := x.subnet(bridge, p)
		if err != nil {
			return err
		}
		k, err := x.knownHost(subnet, mac)
		if err != nil {
			return err
		}
		x.remove(k)
		return nil
	})
	return err
}

// knownHost relies on a host that must exist.
func (x *txn) knownHost(subnet, mac string) (key, error) {
	k := key{sdn.KindDHCPHost, dhcpHostID(subnet, mac)}
	x.rely(k)
	if !x.graph.has(k.kind, k.id) {
		return k, missing(k.kind, mac)
	}
	return k, nil
}

// dhcpHostID takes a MAC in any case.
func dhcpHostID(subnet, mac string) string { return subnet + "/" + strings.ToLower(mac) }

func (g *graph) dhcpHost(id string) (sdn.DHCPHost, bool) {
	h, ok := object[dhcpHost](g, sdn.KindDHCPHost, id)
	return h.Host, ok
}

// hostsIn lists the hosts of a subnet, by MAC.
func (g *graph) hostsIn(subnet string) []sdn.DHCPHost {
	return fetch(g.dhcpHost, referrers[string](g, subnetOfHost, subnet))
}
