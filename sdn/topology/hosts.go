package topology

import (
	"context"

	"github.com/moatnet/moat/sdn"
)

// Hosts implements sdn.API.
func (t *Topology) Hosts(ctx context.Context) ([]sdn.Host, error) {
	return read(ctx, t, func(g *graph) ([]sdn.Host, error) {
		return fetch(g.Host, all[sdn.HostID](g, sdn.KindHost)), nil
	})
}

// Host implements sdn.API.
func (t *Topology) Host(ctx context.Context, id sdn.HostID) (sdn.Host, error) {
	return one(ctx, t, sdn.KindHost, id, func(g *graph) (sdn.Host, bool) { return g.Host(id) })
}

// CreateHost implements sdn.API. A host's ID is the engine's to choose, so it
// must be given; addresses and interfaces are what SetInterfaces says.
func (t *Topology) CreateHost(ctx context.Context, h sdn.Host) (sdn.Host, error) {
	if err := validHost(h); err != nil {
		return sdn.Host{}, err
	}
	var made sdn.Host
	_, err := t.write(ctx, func(x *txn) error {
		made = x.graph.overlay.host(h)
		return x.create(sdn.KindHost, string(h.ID), h)
	})
	return result(made, err)
}

// UpdateHost implements sdn.API.
func (t *Topology) UpdateHost(ctx context.Context, h sdn.Host) error {
	_, err := t.write(ctx, func(x *txn) error {
		n, err := look[sdn.Host](x, sdn.KindHost, h.ID)
		if err != nil {
			return err
		}
		n.FloodingProxyWeight, n.ContainerWeight = h.FloodingProxyWeight, h.ContainerWeight
		n.ContainerLimit, n.EnforceContainerLimit = h.ContainerLimit, h.EnforceContainerLimit
		if err := validHost(n); err != nil {
			return err
		}
		x.put(key{sdn.KindHost, string(h.ID)}, n)
		return nil
	})
	return err
}

// DeleteHost implements sdn.API.
func (t *Topology) DeleteHost(ctx context.Context, id sdn.HostID) error {
	return t.erase(ctx, sdn.KindHost, string(id), func(x *txn) error {
		if x.graph.overlay.isAlive(id) {
			return refuse(sdn.ErrForbidden, "Host %s can not be deleted: its engine is running.", id)
		}
		if x.graph.seen[edge{hostOfPort, string(id)}].len() > 0 {
			return refuse(sdn.ErrForbidden, "Host %s can not be deleted: ports are bound to it.", id)
		}
		if x.graph.stored[edge{hostOfPort, string(id)}].len() > 0 {
			return errUnfinished
		}
		x.vacant = append(x.vacant, bindKey(id, "").String())
		return nil
	})
}
