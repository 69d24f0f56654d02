package access

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/moatnet/moat/sdn"
)

const (
	bindings = "bindings of ports to hosts"
	senders  = "senders of ports"
)

func (s scoped) Ports(ctx context.Context, device sdn.DeviceID) ([]sdn.Port, error) {
	if device == "" {
		return s.ownPorts(ctx)
	}
	if err := s.reads(ctx, s.device(device)); err != nil {
		return nil, err
	}
	return s.api.Ports(ctx, device)
}

// ownPorts lists the ports of all devices of the tenant. A device that is gone
// meanwhile has none.
func (s scoped) ownPorts(ctx context.Context) ([]sdn.Port, error) {
	routers, err := s.Routers(ctx, "")
	if err != nil {
		return nil, err
	}
	bridges, err := s.Bridges(ctx, "")
	if err != nil {
		return nil, err
	}
	devices := make([]sdn.DeviceID, 0, len(routers)+len(bridges))
	for _, r := range routers {
		devices = append(devices, sdn.DeviceID(r.ID))
	}
	for _, b := range bridges {
		devices = append(devices, sdn.DeviceID(b.ID))
	}
	var all []sdn.Port
	for _, d := range devices {
		ports, err := s.api.Ports(ctx, d)
		if err != nil && !errors.Is(err, sdn.ErrNotFound) {
			return nil, err
		}
		all = append(all, ports...)
	}
	slices.SortFunc(all, func(a, b sdn.Port) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return all, nil
}

// PeerPorts leaves out what the other end of a link is when it is another
// tenant's.
func (s scoped) PeerPorts(ctx context.Context, device sdn.DeviceID) ([]sdn.Port, error) {
	if err := s.reads(ctx, s.device(device)); err != nil {
		return nil, err
	}
	peers, err := s.api.PeerPorts(ctx, device)
	if err != nil {
		return nil, err
	}
	return keep(peers, func(p sdn.Port) error { return s.device(p.Device)(ctx) })
}

// keep lists the items that may be seen and are still there.
func keep[T any](items []T, visible func(T) error) ([]T, error) {
	var kept []T
	for _, item := range items {
		switch err := visible(item); {
		case err == nil:
			kept = append(kept, item)
		case !errors.Is(err, sdn.ErrForbidden) && !errors.Is(err, sdn.ErrNotFound):
			return nil, err
		}
	}
	return kept, nil
}

func (s scoped) Port(ctx context.Context, id sdn.PortID) (sdn.Port, error) {
	if err := s.reads(ctx, s.port(id)); err != nil {
		return sdn.Port{}, err
	}
	return s.api.Port(ctx, id)
}

func (s scoped) CreatePort(ctx context.Context, p sdn.Port) (sdn.Port, error) {
	err := s.writes(ctx, s.device(p.Device), each(s.chain, p.InboundFilter, p.OutboundFilter), each(s.port, p.Peer))
	if err != nil {
		return sdn.Port{}, err
	}
	if p.Host != "" || p.Interface != "" {
		return sdn.Port{}, adminOnly(bindings)
	}
	if len(p.Senders) > 0 {
		return sdn.Port{}, adminOnly(senders)
	}
	return s.api.CreatePort(ctx, p)
}

// UpdatePort lets references stand that an admin has made.
func (s scoped) UpdatePort(ctx context.Context, p sdn.Port) error {
	if err := s.writes(ctx, s.port(p.ID)); err != nil {
		return err
	}
	old, err := s.api.Port(ctx, p.ID)
	if err != nil {
		return err
	}
	if old.Host == "" && (p.Host != "" || p.Interface != "") {
		return adminOnly(bindings)
	}
	if !sdn.SameSenders(old.Senders, p.Senders) {
		return adminOnly(senders)
	}
	chains := added([]sdn.ChainID{old.InboundFilter, old.OutboundFilter}, []sdn.ChainID{p.InboundFilter, p.OutboundFilter})
	peers := added([]sdn.PortID{old.Peer}, []sdn.PortID{p.Peer})
	if err := s.writes(ctx, each(s.chain, chains...), each(s.port, peers...)); err != nil {
		return err
	}
	return s.api.UpdatePort(ctx, p)
}

func (s scoped) DeletePort(ctx context.Context, id sdn.PortID) error {
	if err := s.writes(ctx, s.port(id)); err != nil {
		return err
	}
	return s.api.DeletePort(ctx, id)
}

func (s scoped) Link(ctx context.Context, a, b sdn.PortID) error {
	if err := s.writes(ctx, s.port(a), s.port(b)); err != nil {
		return err
	}
	return s.api.Link(ctx, a, b)
}

// Unlink of an own port is allowed whatever the other end is.
func (s scoped) Unlink(ctx context.Context, a sdn.PortID) error {
	if err := s.writes(ctx, s.port(a)); err != nil {
		return err
	}
	return s.api.Unlink(ctx, a)
}

func (s scoped) Bindings(context.Context, sdn.HostID) ([]sdn.Binding, error) {
	return nil, adminOnly(bindings)
}

func (s scoped) Bind(context.Context, sdn.Binding) error  { return adminOnly(bindings) }
func (s scoped) Unbind(context.Context, sdn.PortID) error { return adminOnly(bindings) }
