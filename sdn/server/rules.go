package server

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const kindRule = "Rule"

func (s *server) registerRules() {
	one, many := own(wire.RuleV2), lists(wire.RuleV2)
	s.handle("/"+wire.Chains+"/{id}/"+wire.Rules, map[string]operation{
		http.MethodGet:  {gives: many, do: s.listRules},
		http.MethodPost: {takes: one, gives: one, do: s.createRule},
	})
	s.handle("/"+wire.Rules+"/{id}", map[string]operation{
		http.MethodGet:    {gives: one, do: s.getRule},
		http.MethodDelete: {do: s.deleteRule},
	})
}

func (s *server) listRules(c *call) (answer, error) {
	chain, err := s.chain(c)
	if err != nil {
		return answer{}, err
	}
	rs, err := c.api.Rules(c.Context(), chain.ID)
	return shown(rs, err, c.uris.Rule)
}

func (s *server) createRule(c *call) (answer, error) {
	chain, err := pathID[sdn.ChainID](c, "id", kindChain)
	if err != nil {
		return answer{}, err
	}
	r, err := wire.ParseRule(c.body)
	if err != nil {
		return answer{}, err
	}
	if r.ID == "" {
		r.ID = sdn.NewID[sdn.RuleID]()
	}
	r.Chain = chain
	stored, err := c.api.CreateRule(c.Context(), r)
	if errors.Is(err, sdn.ErrUnsupported) {
		return answer{}, fmt.Errorf("%s rule %s of chain %s: %w", r.Type, r.ID, chain, err)
	}
	if err != nil {
		return answer{}, err
	}
	d := c.uris.Rule(stored)
	return created(d.URI, d), nil
}

func (s *server) getRule(c *call) (answer, error) {
	id, err := pathID[sdn.RuleID](c, "id", kindRule)
	if err != nil {
		return answer{}, err
	}
	r, err := c.api.Rule(c.Context(), id)
	return ok(c.uris.Rule(r)), named(err, kindRule, string(id))
}

func (s *server) deleteRule(c *call) (answer, error) {
	id, err := pathID[sdn.RuleID](c, "id", kindRule)
	if err != nil {
		return answer{}, err
	}
	return noContent(named(c.api.DeleteRule(c.Context(), id), kindRule, string(id)))
}
