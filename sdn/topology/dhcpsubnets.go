package topology

import (
	"context"
	"net/netip"
	"slices"

	"github.com/google/uuid"

	"github.com/moatnet/moat/sdn"
)

func prefixKey(b sdn.BridgeID, p netip.Prefix) key { return key{kindPrefix, subnetName(b, p)} }

// DHCPSubnets implements sdn.DHCPAPI.
func (t *Topology) DHCPSubnets(ctx context.Context, bridge sdn.BridgeID) ([]sdn.DHCPSubnet, error) {
	return read(ctx, t, func(g *graph) ([]sdn.DHCPSubnet, error) {
		if !g.has(sdn.KindBridge, string(bridge)) {
			return nil, missing(sdn.KindBridge, bridge)
		}
		list := g.DHCPSubnetsOf(bridge)
		for i := range list {
			list[i] = cloneSubnet(list[i])
		}
		return list, nil
	})
}

// DHCPSubnet implements sdn.DHCPAPI.
func (t *Topology) DHCPSubnet(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix) (sdn.DHCPSubnet, error) {
	return read(ctx, t, func(g *graph) (sdn.DHCPSubnet, error) {
		_, s, err := g.subnet(bridge, p)
		return cloneSubnet(s), err
	})
}

// CreateDHCPSubnet implements sdn.DHCPAPI.
func (t *Topology) CreateDHCPSubnet(ctx context.Context, s sdn.DHCPSubnet) error {
	if err := validSubnet(&s); err != nil {
		return err
	}
	id := uuid.NewString()
	_, err := t.write(ctx, func(x *txn) error {
		if err := parent(x, sdn.KindBridge, s.Bridge); err != nil {
			return err
		}
		if err := x.create(sdn.KindDHCPSubnet, id, s); err != nil {
			return err
		}
		return x.claimPrefix(s, id)
	})
	return err
}

// UpdateDHCPSubnet implements sdn.DHCPAPI. Hosts are stored below an ID that
// stays, and so move along.
func (t *Topology) UpdateDHCPSubnet(ctx context.Context, p netip.Prefix, s sdn.DHCPSubnet) error {
	if err := validSubnet(&s); err != nil {
		return err
	}
	_, err := t.write(ctx, func(x *txn) error {
		id, err := x.subnet(s.Bridge, p)
		if err != nil {
			return err
		}
		x.put(key{sdn.KindDHCPSubnet, id}, s)
		if p == s.Prefix {
			return nil
		}
		x.remove(prefixKey(s.Bridge, p))
		return x.claimPrefix(s, id)
	})
	return err
}

// DeleteDHCPSubnet implements sdn.DHCPAPI.
func (t *Topology) DeleteDHCPSubnet(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix) error {
	var id string
	_, err := t.write(ctx, func(x *txn) error {
		var err error
		if id, err = x.subnet(bridge, p); err != nil {
			return err
		}
		x.mark(sdn.KindDHCPSubnet, id)
		return nil
	})
	if err == nil {
		t.erased(ctx, key{sdn.KindDHCPSubnet, id})
	}
	return err
}

// subnet finds a bridge's subnet, and the ID that it is stored under.
func (g *graph) subnet(b sdn.BridgeID, p netip.Prefix) (string, sdn.DHCPSubnet, error) {
	if !g.has(sdn.KindBridge, string(b)) {
		return "", sdn.DHCPSubnet{}, missing(sdn.KindBridge, b)
	}
	id, _ := g.facts[prefixKey(b, p)].body.(string)
	s, ok := object[sdn.DHCPSubnet](g, sdn.KindDHCPSubnet, id)
	if !ok {
		return "", sdn.DHCPSubnet{}, missing(sdn.KindDHCPSubnet, prefixText(p))
	}
	return id, s, nil
}

// subnet relies on a subnet that must exist.
func (x *txn) subnet(b sdn.BridgeID, p netip.Prefix) (string, error) {
	x.rely(key{sdn.KindBridge, string(b)})
	x.rely(prefixKey(b, p))
	id, _, err := x.graph.subnet(b, p)
	if err == nil {
		x.rely(key{sdn.KindDHCPSubnet, id})
	}
	return id, err
}

// claimPrefix takes a subnet's prefix on its bridge.
func (x *txn) claimPrefix(s sdn.DHCPSubnet, id string) error {
	k := prefixKey(s.Bridge, s.Prefix)
	x.rely(k)
	if held, ok := x.graph.facts[k].body.(string); ok {
		if !x.graph.has(sdn.KindDHCPSubnet, held) {
			return errUnfinished
		}
		return exists(sdn.KindDHCPSubnet, prefixText(s.Prefix))
	}
	x.put(k, id)
	return nil
}

func cloneSubnet(s sdn.DHCPSubnet) sdn.DHCPSubnet {
	s.DNS, s.Routes = slices.Clone(s.DNS), slices.Clone(s.Routes)
	return s
}
