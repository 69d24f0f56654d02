package topology

import (
	"context"

	"github.com/moatnet/moat/sdn"
)

// TunnelZones implements sdn.API.
func (t *Topology) TunnelZones(ctx context.Context) ([]sdn.TunnelZone, error) {
	return read(ctx, t, func(g *graph) ([]sdn.TunnelZone, error) {
		return fetch(g.zone, all[sdn.TunnelZoneID](g, sdn.KindTunnelZone)), nil
	})
}

// TunnelZone implements sdn.API.
func (t *Topology) TunnelZone(ctx context.Context, id sdn.TunnelZoneID) (sdn.TunnelZone, error) {
	return one(ctx, t, sdn.KindTunnelZone, id, func(g *graph) (sdn.TunnelZone, bool) { return g.zone(id) })
}

// CreateTunnelZone implements sdn.API.
func (t *Topology) CreateTunnelZone(ctx context.Context, z sdn.TunnelZone) (sdn.TunnelZone, error) {
	if err := validZone(&z); err != nil {
		return sdn.TunnelZone{}, err
	}
	_, err := t.write(ctx, func(x *txn) error {
		if err := x.create(sdn.KindTunnelZone, string(z.ID), z); err != nil {
			return err
		}
		return x.name(z)
	})
	return result(z, err)
}

// UpdateTunnelZone implements sdn.API. Keeping the name is no conflict, as it
// is by a bug in MidoNet (MNA-1293).
func (t *Topology) UpdateTunnelZone(ctx context.Context, z sdn.TunnelZone) error {
	if err := validZone(&z); err != nil {
		return err
	}
	_, err := t.write(ctx, func(x *txn) error {
		old, err := look[sdn.TunnelZone](x, sdn.KindTunnelZone, z.ID)
		if err != nil {
			return err
		}
		x.put(key{sdn.KindTunnelZone, string(z.ID)}, z)
		if old.Name == z.Name {
			return nil
		}
		x.remove(key{kindZoneName, old.Name})
		return x.name(z)
	})
	return err
}

// name takes a zone's name.
func (x *txn) name(z sdn.TunnelZone) error {
	k := key{kindZoneName, z.Name}
	x.rely(k)
	if held, ok := x.graph.facts[k].body.(string); ok {
		if !x.graph.has(sdn.KindTunnelZone, held) {
			return errUnfinished
		}
		return refuse(sdn.ErrConflict, "Tunnel zone name already exists.")
	}
	x.put(k, string(z.ID))
	return nil
}

// DeleteTunnelZone implements sdn.API.
func (t *Topology) DeleteTunnelZone(ctx context.Context, id sdn.TunnelZoneID) error {
	return t.erase(ctx, sdn.KindTunnelZone, string(id), unguarded)
}

func memberID(z sdn.TunnelZoneID, h sdn.HostID) string { return string(z) + "/" + string(h) }

func (g *graph) member(id string) (sdn.TunnelZoneHost, bool) {
	return object[sdn.TunnelZoneHost](g, kindMember, id)
}

// TunnelZoneHosts implements sdn.API.
func (t *Topology) TunnelZoneHosts(ctx context.Context, zone sdn.TunnelZoneID) ([]sdn.TunnelZoneHost, error) {
	return read(ctx, t, func(g *graph) ([]sdn.TunnelZoneHost, error) {
		if !g.has(sdn.KindTunnelZone, string(zone)) {
			return nil, missing(sdn.KindTunnelZone, zone)
		}
		return fetch(g.member, referrers[string](g, zoneOfMember, zone)), nil
	})
}

// TunnelZoneHost implements sdn.API.
func (t *Topology) TunnelZoneHost(ctx context.Context, zone sdn.TunnelZoneID, host sdn.HostID) (sdn.TunnelZoneHost, error) {
	return one(ctx, t, kindMember, host, func(g *graph) (sdn.TunnelZoneHost, bool) { return g.member(memberID(zone, host)) })
}

// AddTunnelZoneHost implements sdn.API.
func (t *Topology) AddTunnelZoneHost(ctx context.Context, m sdn.TunnelZoneHost) error {
	if err := validMember(m); err != nil {
		return err
	}
	_, err := t.write(ctx, func(x *txn) error {
		if err := parent(x, sdn.KindTunnelZone, m.Zone); err != nil {
			return err
		}
		if err := need(x, sdn.KindHost, m.Host); err != nil {
			return err
		}
		if x.graph.has(kindMember, memberID(m.Zone, m.Host)) {
			return exists(kindMember, m.Host)
		}
		return x.create(kindMember, memberID(m.Zone, m.Host), m)
	})
	return err
}

// RemoveTunnelZoneHost implements sdn.API.
func (t *Topology) RemoveTunnelZoneHost(ctx context.Context, zone sdn.TunnelZoneID, host sdn.HostID) error {
	_, err := t.write(ctx, func(x *txn) error {
		id := memberID(zone, host)
		if !x.graph.has(kindMember, id) {
			return missing(kindMember, host)
		}
		x.remove(key{kindMember, id})
		return nil
	})
	return err
}
