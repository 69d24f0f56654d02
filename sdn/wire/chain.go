package wire

import "github.com/moatnet/moat/sdn"

// Chain is resource Chain-v1.
type Chain struct {
	URI      Text `json:"uri"`
	ID       Text `json:"id"`
	TenantID Text `json:"tenantId"`
	Name     Text `json:"name"`
	Rules    Text `json:"rules"`
}

// NewChain is the request body for a chain: no links.
func NewChain(c sdn.Chain) Chain {
	return Chain{ID: Text(c.ID), TenantID: Text(c.TenantID), Name: Text(c.Name)}
}

// Chain is the representation of a chain, with its links.
func (u URIs) Chain(c sdn.Chain) Chain {
	d := NewChain(c)
	d.URI = u.text(Chains, string(c.ID))
	d.Rules = u.text(Chains, string(c.ID), Rules)
	return d
}

// Noun reads a representation.
func (d Chain) Noun() (sdn.Chain, error) {
	var c check
	chain := sdn.Chain{
		ID:       parseID[sdn.ChainID](&c, "id", d.ID),
		TenantID: sdn.TenantID(d.TenantID),
		Name:     c.name(d.Name),
	}
	return chain, c.err()
}

// ParseChain reads the body of a POST.
func ParseChain(body []byte) (sdn.Chain, error) {
	var d Chain
	if err := Decode(body, &d); err != nil {
		return sdn.Chain{}, err
	}
	return d.Noun()
}
