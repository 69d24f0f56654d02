package client

import (
	"context"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// Chains implements sdn.API.
func (c *Client) Chains(ctx context.Context, tenant sdn.TenantID) ([]sdn.Chain, error) {
	return list[sdn.Chain, wire.Chain](ctx, c, c.paths.Of(wire.Chains, string(tenant)), wire.ChainV1)
}

// Chain implements sdn.API.
func (c *Client) Chain(ctx context.Context, id sdn.ChainID) (sdn.Chain, error) {
	return get[sdn.Chain, wire.Chain](ctx, c, c.paths.At(wire.Chains, string(id)), wire.ChainV1)
}

// CreateChain implements sdn.API.
func (c *Client) CreateChain(ctx context.Context, chain sdn.Chain) (sdn.Chain, error) {
	ours := own(&chain.ID)
	return create[sdn.Chain, wire.Chain](ctx, c, creation{
		path: c.paths.At(wire.Chains), at: c.paths.At(wire.Chains, string(chain.ID)),
		media: wire.ChainV1, body: wire.NewChain(chain), ours: ours,
	})
}

// DeleteChain implements sdn.API.
func (c *Client) DeleteChain(ctx context.Context, id sdn.ChainID) error {
	return remove(ctx, c, c.paths.At(wire.Chains, string(id)))
}

// Rules implements sdn.API.
func (c *Client) Rules(ctx context.Context, chain sdn.ChainID) ([]sdn.Rule, error) {
	return list[sdn.Rule, wire.Rule](ctx, c, c.paths.At(wire.Chains, string(chain), wire.Rules), wire.RuleV2)
}

// Rule implements sdn.API.
func (c *Client) Rule(ctx context.Context, id sdn.RuleID) (sdn.Rule, error) {
	return get[sdn.Rule, wire.Rule](ctx, c, c.paths.At(wire.Rules, string(id)), wire.RuleV2)
}

// CreateRule implements sdn.API.
func (c *Client) CreateRule(ctx context.Context, r sdn.Rule) (sdn.Rule, error) {
	ours := own(&r.ID)
	return create[sdn.Rule, wire.Rule](ctx, c, creation{
		path: c.paths.At(wire.Chains, string(r.Chain), wire.Rules), at: c.paths.At(wire.Rules, string(r.ID)),
		media: wire.RuleV2, body: wire.NewRule(r), ours: ours,
	})
}

// DeleteRule implements sdn.API.
func (c *Client) DeleteRule(ctx context.Context, id sdn.RuleID) error {
	return remove(ctx, c, c.paths.At(wire.Rules, string(id)))
}
