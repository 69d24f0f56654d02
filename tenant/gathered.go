package tenant

import (
	"context"
	"errors"

	"github.com/moatnet/moat/sdn"
)

// gathered is a picture of what an API answered.
type gathered struct {
	routers map[sdn.RouterID]sdn.Router
	bridges map[sdn.BridgeID]sdn.Bridge
	ports   map[sdn.PortID]sdn.Port
	chains  map[sdn.ChainID]sdn.Chain
	routes  map[sdn.RouterID][]sdn.Route
	rules   map[sdn.ChainID][]sdn.Rule
}

func (g gathered) Router(id sdn.RouterID) (sdn.Router, bool) { r, ok := g.routers[id]; return r, ok }
func (g gathered) Bridge(id sdn.BridgeID) (sdn.Bridge, bool) { b, ok := g.bridges[id]; return b, ok }
func (g gathered) Port(id sdn.PortID) (sdn.Port, bool)       { p, ok := g.ports[id]; return p, ok }
func (g gathered) Chain(id sdn.ChainID) (sdn.Chain, bool)    { c, ok := g.chains[id]; return c, ok }
func (g gathered) RoutesOf(id sdn.RouterID) []sdn.Route      { return g.routes[id] }
func (g gathered) RulesOf(id sdn.ChainID) []sdn.Rule         { return g.rules[id] }

// devices reads all routers, bridges, ports and chains, of whomever they are.
func (g gathered) devices(ctx context.Context, api sdn.API) error {
	routers, err := api.Routers(ctx, "")
	if err != nil {
		return op("list routers", err)
	}
	for _, r := range routers {
		g.routers[r.ID] = r
	}
	bridges, err := api.Bridges(ctx, "")
	if err != nil {
		return op("list bridges", err)
	}
	for _, b := range bridges {
		g.bridges[b.ID] = b
	}
	ports, err := api.Ports(ctx, "")
	if err != nil {
		return op("list ports", err)
	}
	for _, p := range ports {
		g.ports[p.ID] = p
	}
	chains, err := api.Chains(ctx, "")
	if err != nil {
		return op("list chains", err)
	}
	for _, c := range chains {
		g.chains[c.ID] = c
	}
	return nil
}

// contents reads routes and rules of one network, as far as it is there.
func (g gathered) contents(ctx context.Context, api sdn.API, l layout) error {
	for _, c := range []sdn.Chain{l.In, l.Out} {
		rules, err := api.Rules(ctx, c.ID)
		if err != nil && !errors.Is(err, sdn.ErrNotFound) {
			return op("list rules of chain "+c.Name, err)
		}
		g.rules[c.ID] = rules
	}
	return g.routesOf(ctx, api, l.Router.ID)
}

func (g gathered) routesOf(ctx context.Context, api sdn.API, id sdn.RouterID) error {
	routes, err := api.Routes(ctx, id)
	if err != nil && !errors.Is(err, sdn.ErrNotFound) {
		return op("list routes of router "+string(id), err)
	}
	g.routes[id] = routes
	return nil
}
