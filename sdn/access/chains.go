package access

import (
	"context"

	"github.com/moatnet/moat/sdn"
)

func (s scoped) Chains(ctx context.Context, tenant sdn.TenantID) ([]sdn.Chain, error) {
	if err := s.reads(ctx, s.tenant(&tenant)); err != nil {
		return nil, err
	}
	return s.api.Chains(ctx, tenant)
}

func (s scoped) Chain(ctx context.Context, id sdn.ChainID) (sdn.Chain, error) {
	if err := s.reads(ctx, s.chain(id)); err != nil {
		return sdn.Chain{}, err
	}
	return s.api.Chain(ctx, id)
}

func (s scoped) CreateChain(ctx context.Context, c sdn.Chain) (sdn.Chain, error) {
	if err := s.writes(ctx, s.tenant(&c.TenantID)); err != nil {
		return sdn.Chain{}, err
	}
	return s.api.CreateChain(ctx, c)
}

func (s scoped) DeleteChain(ctx context.Context, id sdn.ChainID) error {
	if err := s.writes(ctx, s.chain(id)); err != nil {
		return err
	}
	return s.api.DeleteChain(ctx, id)
}

func (s scoped) Rules(ctx context.Context, chain sdn.ChainID) ([]sdn.Rule, error) {
	if err := s.reads(ctx, s.chain(chain)); err != nil {
		return nil, err
	}
	return s.api.Rules(ctx, chain)
}

func (s scoped) Rule(ctx context.Context, id sdn.RuleID) (sdn.Rule, error) {
	if err := s.reads(ctx); err != nil {
		return sdn.Rule{}, err
	}
	r, err := s.api.Rule(ctx, id)
	if err != nil {
		return sdn.Rule{}, err
	}
	if err := s.reads(ctx, s.chain(r.Chain)); err != nil {
		return sdn.Rule{}, err
	}
	return r, nil
}

func (s scoped) CreateRule(ctx context.Context, r sdn.Rule) (sdn.Rule, error) {
	c := r.Condition
	err := s.writes(ctx, s.chain(r.Chain), each(s.chain, r.JumpChain),
		each(s.port, c.InPorts...), each(s.port, c.OutPorts...),
		each(s.portGroup, c.PortGroup, c.InPortGroup, c.OutPortGroup),
		each(s.device, c.TraversedDevice))
	if err != nil {
		return sdn.Rule{}, err
	}
	if c.SrcGroup != "" || c.DstGroup != "" {
		return sdn.Rule{}, adminOnly(ipAddrGroups)
	}
	return s.api.CreateRule(ctx, r)
}

func (s scoped) DeleteRule(ctx context.Context, id sdn.RuleID) error {
	if err := s.writes(ctx); err != nil {
		return err
	}
	if _, err := s.Rule(ctx, id); err != nil {
		return err
	}
	return s.api.DeleteRule(ctx, id)
}
