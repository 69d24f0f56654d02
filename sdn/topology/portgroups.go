package topology

import (
	"context"
	"slices"

	"github.com/moatnet/moat/sdn"
)

// PortGroups implements sdn.PortGroupAPI.
func (t *Topology) PortGroups(ctx context.Context, tenant sdn.TenantID, member sdn.PortID) ([]sdn.PortGroup, error) {
	return read(ctx, t, func(g *graph) ([]sdn.PortGroup, error) {
		switch {
		case member != "":
			list := fetch(g.portGroup, g.groupsOf(member))
			return slices.DeleteFunc(list, func(p sdn.PortGroup) bool { return tenant != "" && p.TenantID != tenant }), nil
		case tenant != "":
			return fetch(g.portGroup, referrers[sdn.PortGroupID](g, tenantOfPortGroup, tenant)), nil
		}
		return fetch(g.portGroup, all[sdn.PortGroupID](g, sdn.KindPortGroup)), nil
	})
}

// PortGroup implements sdn.PortGroupAPI.
func (t *Topology) PortGroup(ctx context.Context, id sdn.PortGroupID) (sdn.PortGroup, error) {
	return one(ctx, t, sdn.KindPortGroup, id, func(g *graph) (sdn.PortGroup, bool) { return g.portGroup(id) })
}

// CreatePortGroup implements sdn.PortGroupAPI.
func (t *Topology) CreatePortGroup(ctx context.Context, g sdn.PortGroup) (sdn.PortGroup, error) {
	if err := validPortGroup(&g); err != nil {
		return sdn.PortGroup{}, err
	}
	_, err := t.write(ctx, func(x *txn) error { return x.create(sdn.KindPortGroup, string(g.ID), g) })
	return result(g, err)
}

// UpdatePortGroup implements sdn.PortGroupAPI.
func (t *Topology) UpdatePortGroup(ctx context.Context, g sdn.PortGroup) error {
	if err := validPortGroup(&g); err != nil {
		return err
	}
	_, err := t.write(ctx, func(x *txn) error {
		if err := parent(x, sdn.KindPortGroup, g.ID); err != nil {
			return err
		}
		x.put(key{sdn.KindPortGroup, string(g.ID)}, g)
		return nil
	})
	return err
}

// DeletePortGroup implements sdn.PortGroupAPI.
func (t *Topology) DeletePortGroup(ctx context.Context, id sdn.PortGroupID) error {
	return t.erase(ctx, sdn.KindPortGroup, string(id), unguarded)
}

// PortGroupPorts implements sdn.PortGroupAPI.
func (t *Topology) PortGroupPorts(ctx context.Context, group sdn.PortGroupID) ([]sdn.PortGroupPort, error) {
	return read(ctx, t, func(g *graph) ([]sdn.PortGroupPort, error) {
		if !g.has(sdn.KindPortGroup, string(group)) {
			return nil, missing(sdn.KindPortGroup, group)
		}
		return fetch(g.groupPort, referrers[string](g, groupOfGroupPort, group)), nil
	})
}

// GroupsOfPort implements sdn.PortGroupAPI.
func (t *Topology) GroupsOfPort(ctx context.Context, port sdn.PortID) ([]sdn.PortGroupPort, error) {
	return read(ctx, t, func(g *graph) ([]sdn.PortGroupPort, error) {
		if !g.has(sdn.KindPort, string(port)) {
			return nil, missing(sdn.KindPort, port)
		}
		return fetch(g.groupPort, referrers[string](g, portOfGroupPort, port)), nil
	})
}

// AddPortGroupPort implements sdn.PortGroupAPI. What the group's rules mean may
// then be what the engine cannot express.
func (t *Topology) AddPortGroupPort(ctx context.Context, m sdn.PortGroupPort) error {
	_, err := t.write(ctx, func(x *txn) error {
		if err := parent(x, sdn.KindPortGroup, m.Group); err != nil {
			return err
		}
		if _, err := look[sdn.Port](x, sdn.KindPort, m.Port); err != nil {
			return err
		}
		if x.graph.has(sdn.KindPortGroupPort, groupPortID(m)) {
			return exists(sdn.KindPortGroupPort, m.Port)
		}
		x.pin(sdn.KindPort, string(m.Port))
		x.touch(x.graph.ChainsNaming(string(m.Group))...)
		return x.create(sdn.KindPortGroupPort, groupPortID(m), m)
	})
	return err
}

// RemovePortGroupPort implements sdn.PortGroupAPI.
func (t *Topology) RemovePortGroupPort(ctx context.Context, m sdn.PortGroupPort) error {
	_, err := t.write(ctx, func(x *txn) error {
		if !x.graph.has(sdn.KindPortGroupPort, groupPortID(m)) {
			return missing(sdn.KindPortGroupPort, m.Port)
		}
		x.remove(key{sdn.KindPortGroupPort, groupPortID(m)})
		return nil
	})
	return err
}

func groupPortID(m sdn.PortGroupPort) string { return string(m.Group) + "/" + string(m.Port) }

func (g *graph) portGroup(id sdn.PortGroupID) (sdn.PortGroup, bool) {
	return object[sdn.PortGroup](g, sdn.KindPortGroup, id)
}

func (g *graph) groupPort(id string) (sdn.PortGroupPort, bool) {
	return object[sdn.PortGroupPort](g, sdn.KindPortGroupPort, id)
}

// groupsOf lists the groups that a port is in, by ID.
func (g *graph) groupsOf(p sdn.PortID) []sdn.PortGroupID {
	var list []sdn.PortGroupID
	for _, m := range fetch(g.groupPort, referrers[string](g, portOfGroupPort, p)) {
		list = append(list, m.Group)
	}
	return list
}
