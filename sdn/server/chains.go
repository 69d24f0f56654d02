package server

import (
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const kindChain = "Chain"

func (s *server) registerChains() {
	one, many := own(wire.ChainV1), lists(wire.ChainV1)
	s.handle("/"+wire.Chains, map[string]operation{
		http.MethodGet:  {gives: many, do: s.listChains},
		http.MethodPost: {takes: one, gives: one, do: s.createChain},
	})
	s.handle("/"+wire.Chains+"/{id}", map[string]operation{
		http.MethodGet:    {gives: one, do: s.getChain},
		http.MethodDelete: {do: s.deleteChain},
	})
}

func (s *server) listChains(c *call) (answer, error) {
	cs, err := c.api.Chains(c.Context(), tenantOf(c))
	return shown(cs, err, c.uris.Chain)
}

func (s *server) createChain(c *call) (answer, error) {
	chain, err := wire.ParseChain(c.body)
	if err != nil {
		return answer{}, err
	}
	if err := c.owned(chain.Name, chain.TenantID); err != nil {
		return answer{}, err
	}
	chain, err = c.api.CreateChain(c.Context(), chain)
	if err != nil {
		return answer{}, err
	}
	d := c.uris.Chain(chain)
	return created(d.URI, d), nil
}

func (s *server) chain(c *call) (sdn.Chain, error) {
	id, err := pathID[sdn.ChainID](c, "id", kindChain)
	if err != nil {
		return sdn.Chain{}, err
	}
	chain, err := c.api.Chain(c.Context(), id)
	return chain, named(err, kindChain, string(id))
}

func (s *server) getChain(c *call) (answer, error) {
	chain, err := s.chain(c)
	return ok(c.uris.Chain(chain)), err
}

func (s *server) deleteChain(c *call) (answer, error) {
	id, err := pathID[sdn.ChainID](c, "id", kindChain)
	if err != nil {
		return answer{}, err
	}
	return noContent(named(c.api.DeleteChain(c.Context(), id), kindChain, string(id)))
}
