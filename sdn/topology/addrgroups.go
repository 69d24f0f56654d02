package topology

import (
	"context"
	"net/netip"

	"github.com/moatnet/moat/sdn"
)

// IPAddrGroups implements sdn.IPAddrGroupAPI.
func (t *Topology) IPAddrGroups(ctx context.Context) ([]sdn.IPAddrGroup, error) {
	return read(ctx, t, func(g *graph) ([]sdn.IPAddrGroup, error) {
		return fetch(g.addrGroup, all[sdn.IPAddrGroupID](g, sdn.KindIPAddrGroup)), nil
	})
}

// IPAddrGroup implements sdn.IPAddrGroupAPI.
func (t *Topology) IPAddrGroup(ctx context.Context, id sdn.IPAddrGroupID) (sdn.IPAddrGroup, error) {
	return one(ctx, t, sdn.KindIPAddrGroup, id, func(g *graph) (sdn.IPAddrGroup, bool) { return g.addrGroup(id) })
}

// CreateIPAddrGroup implements sdn.IPAddrGroupAPI.
func (t *Topology) CreateIPAddrGroup(ctx context.Context, g sdn.IPAddrGroup) (sdn.IPAddrGroup, error) {
	if err := validIPAddrGroup(&g); err != nil {
		return sdn.IPAddrGroup{}, err
	}
	_, err := t.write(ctx, func(x *txn) error { return x.create(sdn.KindIPAddrGroup, string(g.ID), g) })
	return result(g, err)
}

// DeleteIPAddrGroup implements sdn.IPAddrGroupAPI.
func (t *Topology) DeleteIPAddrGroup(ctx context.Context, id sdn.IPAddrGroupID) error {
	return t.erase(ctx, sdn.KindIPAddrGroup, string(id), unguarded)
}

// IPAddrGroupAddrs implements sdn.IPAddrGroupAPI.
func (t *Topology) IPAddrGroupAddrs(ctx context.Context, group sdn.IPAddrGroupID) ([]sdn.IPAddrGroupAddr, error) {
	return read(ctx, t, func(g *graph) ([]sdn.IPAddrGroupAddr, error) {
		if !g.HasIPAddrGroup(group) {
			return nil, missing(sdn.KindIPAddrGroup, group)
		}
		list := make([]sdn.IPAddrGroupAddr, 0)
		for _, a := range g.AddrsInGroup(group) {
			list = append(list, sdn.IPAddrGroupAddr{Group: group, Addr: a})
		}
		return list, nil
	})
}

// AddIPAddrGroupAddr implements sdn.IPAddrGroupAPI. Which addresses a group has
// makes no rule inexpressible.
func (t *Topology) AddIPAddrGroupAddr(ctx context.Context, a sdn.IPAddrGroupAddr) error {
	if err := validGroupAddr(a); err != nil {
		return err
	}
	_, err := t.write(ctx, func(x *txn) error {
		if err := parent(x, sdn.KindIPAddrGroup, a.Group); err != nil {
			return err
		}
		if x.graph.has(sdn.KindIPAddrGroupAddr, groupAddrID(a)) {
			return exists(sdn.KindIPAddrGroupAddr, a.Addr.String())
		}
		return x.create(sdn.KindIPAddrGroupAddr, groupAddrID(a), a)
	})
	return err
}

// RemoveIPAddrGroupAddr implements sdn.IPAddrGroupAPI.
func (t *Topology) RemoveIPAddrGroupAddr(ctx context.Context, a sdn.IPAddrGroupAddr) error {
	_, err := t.write(ctx, func(x *txn) error {
		if !x.graph.has(sdn.KindIPAddrGroupAddr, groupAddrID(a)) {
			return missing(sdn.KindIPAddrGroupAddr, a.Addr.String())
		}
		x.remove(key{sdn.KindIPAddrGroupAddr, groupAddrID(a)})
		return nil
	})
	return err
}

func groupAddrID(a sdn.IPAddrGroupAddr) string { return string(a.Group) + "/" + a.Addr.String() }

func (g *graph) addrGroup(id sdn.IPAddrGroupID) (sdn.IPAddrGroup, bool) {
	return object[sdn.IPAddrGroup](g, sdn.KindIPAddrGroup, id)
}

func (g *graph) groupAddr(id string) (netip.Addr, bool) {
	a, ok := object[sdn.IPAddrGroupAddr](g, sdn.KindIPAddrGroupAddr, id)
	return a.Addr, ok
}
