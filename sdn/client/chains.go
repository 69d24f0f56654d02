package client

import (
	"context"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// Chains implements sdn.API.
func (c *Client) Chains(ctx context.Context, tenant sdn.TenantID) ([]sdn.Chain, error) {
	return chains.of(ctx, c, tenant)
}

// Chain implements sdn.API.
func (c *Client) Chain(ctx context.Context, id sdn.ChainID) (sdn.Chain, error) {
	return chains.one(ctx, c, string(id))
}

// CreateChain implements sdn.API.
func (c *Client) CreateChain(ctx context.Context, chain sdn.Chain) (sdn.Chain, error) {
	ours := own(&chain.ID)
	return chains.create(ctx, c, string(chain.ID), ours, wire.NewChain(chain))
}

// DeleteChain implements sdn.API.
func (c *Client) DeleteChain(ctx context.Context, id sdn.ChainID) error {
	return chains.remove(ctx, c, string(id))
}

// Rules implements sdn.API.
func (c *Client) Rules(ctx context.Context, chain sdn.ChainID) ([]sdn.Rule, error) {
	return rules.below(ctx, c, wire.Chains, string(chain), wire.Rules)
}

// Rule implements sdn.API.
func (c *Client) Rule(ctx context.Context, id sdn.RuleID) (sdn.Rule, error) {
	return rules.one(ctx, c, string(id))
}

// CreateRule implements sdn.API. A condition that the server's release does not
// have is ErrUnsupported.
func (c *Client) CreateRule(ctx context.Context, r sdn.Rule) (sdn.Rule, error) {
	ours := own(&r.ID)
	return rules.create(ctx, c, string(r.ID), ours, wire.NewRule(r), wire.Chains, string(r.Chain), wire.Rules)
}

// DeleteRule implements sdn.API.
func (c *Client) DeleteRule(ctx context.Context, id sdn.RuleID) error {
	return rules.remove(ctx, c, string(id))
}
