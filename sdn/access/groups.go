package access

import (
	"context"
	"errors"

	"github.com/moatnet/moat/sdn"
)

// PortGroups of a port that does not exist are the API's to decide.
func (s scoped) PortGroups(ctx context.Context, tenant sdn.TenantID, member sdn.PortID) ([]sdn.PortGroup, error) {
	if err := s.reads(ctx, s.tenant(&tenant), each(s.port, member)); err != nil && !errors.Is(err, sdn.ErrNotFound) {
		return nil, err
	}
	return s.api.PortGroups(ctx, tenant, member)
}

func (s scoped) PortGroup(ctx context.Context, id sdn.PortGroupID) (sdn.PortGroup, error) {
	if err := s.reads(ctx, s.portGroup(id)); err != nil {
		return sdn.PortGroup{}, err
	}
	return s.api.PortGroup(ctx, id)
}

func (s scoped) CreatePortGroup(ctx context.Context, g sdn.PortGroup) (sdn.PortGroup, error) {
	if err := s.writes(ctx, s.tenant(&g.TenantID)); err != nil {
		return sdn.PortGroup{}, err
	}
	return s.api.CreatePortGroup(ctx, g)
}

func (s scoped) UpdatePortGroup(ctx context.Context, g sdn.PortGroup) error {
	if err := s.writes(ctx, s.portGroup(g.ID), s.tenant(&g.TenantID)); err != nil {
		return err
	}
	return s.api.UpdatePortGroup(ctx, g)
}

func (s scoped) DeletePortGroup(ctx context.Context, id sdn.PortGroupID) error {
	if err := s.writes(ctx, s.portGroup(id)); err != nil {
		return err
	}
	return s.api.DeletePortGroup(ctx, id)
}

// PortGroupPorts leaves out members that an admin took from another tenant.
func (s scoped) PortGroupPorts(ctx context.Context, group sdn.PortGroupID) ([]sdn.PortGroupPort, error) {
	if err := s.reads(ctx, s.portGroup(group)); err != nil {
		return nil, err
	}
	members, err := s.api.PortGroupPorts(ctx, group)
	if err != nil {
		return nil, err
	}
	return keep(members, func(m sdn.PortGroupPort) error { return s.port(m.Port)(ctx) })
}

// GroupsOfPort leaves out groups of other tenants, into which an admin took the
// port.
func (s scoped) GroupsOfPort(ctx context.Context, port sdn.PortID) ([]sdn.PortGroupPort, error) {
	if err := s.reads(ctx, s.port(port)); err != nil {
		return nil, err
	}
	members, err := s.api.GroupsOfPort(ctx, port)
	if err != nil {
		return nil, err
	}
	return keep(members, func(m sdn.PortGroupPort) error { return s.portGroup(m.Group)(ctx) })
}

func (s scoped) AddPortGroupPort(ctx context.Context, m sdn.PortGroupPort) error {
	if err := s.writes(ctx, s.portGroup(m.Group), s.port(m.Port)); err != nil {
		return err
	}
	return s.api.AddPortGroupPort(ctx, m)
}

func (s scoped) RemovePortGroupPort(ctx context.Context, m sdn.PortGroupPort) error {
	if err := s.writes(ctx, s.portGroup(m.Group), s.port(m.Port)); err != nil {
		return err
	}
	return s.api.RemovePortGroupPort(ctx, m)
}
