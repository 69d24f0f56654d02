package topology

import (
	"reflect"
	"slices"

	"github.com/moatnet/moat/sdn"
)

// graph holds what is stored, and what readers see of it, up to one revision.
// Its methods need the lock of the topology that it belongs to.
type graph struct {
	rev     int64
	facts   map[key]fact
	stored  index // edges of the facts
	marked  map[key]struct{}
	objects map[sdn.Kind]map[string]any
	seen    index // edges of the objects
	lists   index // of all objects of a kind, and of all tenants
	rules   map[sdn.ChainID][]sdn.Rule
	overlay *overlay
	quiet   bool // nobody asks for changes
}

func newGraph() *graph {
	g := &graph{
		facts:   map[key]fact{},
		stored:  index{},
		marked:  map[key]struct{}{},
		objects: map[sdn.Kind]map[string]any{},
		seen:    index{},
		lists:   index{},
		rules:   map[sdn.ChainID][]sdn.Rule{},
		overlay: newOverlay(),
	}
	for k := range forms {
		if !decision(k) {
			g.objects[k] = map[string]any{}
		}
	}
	return g
}

func (g *graph) has(kind sdn.Kind, id string) bool {
	_, ok := g.objects[kind][id]
	return ok
}

// apply takes in facts up to a revision and returns what changed for readers.
func (g *graph) apply(facts []fact, rev int64) []sdn.Change {
	p := pass{graph: g, before: map[key]any{}, chains: map[string]struct{}{}}
	for _, f := range facts {
		p.store(f)
	}
	for len(p.queue) > 0 {
		k := p.queue[len(p.queue)-1]
		p.queue = p.queue[:len(p.queue)-1]
		p.look(k)
	}
	for chain := range p.chains {
		p.number(chain)
	}
	g.rev = max(g.rev, rev)
	return p.changes()
}

// pass is one application of facts.
type pass struct {
	*graph
	queue   []key               // objects whose picture may have changed
	chains  map[string]struct{} // chains whose rules must be numbered again
	touched []key
	before  map[key]any
}

func (p *pass) store(f fact) {
	old := p.facts[f.key]
	if f.body == nil {
		delete(p.facts, f.key)
	} else {
		p.facts[f.key] = f
	}
	if f.key.kind == kindOrder {
		p.chains[f.key.id] = struct{}{}
	}
	if decision(f.key.kind) {
		return
	}
	p.stored.remove(f.key.id, edges(old.body))
	p.stored.add(f.key.id, edges(f.body))
	delete(p.marked, f.key)
	if f.deleted {
		p.marked[f.key] = struct{}{}
	}
	p.queue = append(p.queue, f.key)
}

// look computes an object's picture anew; where it appears or vanishes, what
// refers to it is looked at as well.
func (p *pass) look(k key) {
	was, had := p.objects[k.kind][k.id]
	now, has := p.see(p.facts[k])
	if !has {
		now = nil
	}
	if r, ok := now.(sdn.Rule); ok {
		if old, ok := was.(sdn.Rule); ok {
			r.Position = old.Position
			now = r
		}
	}
	if had == has && reflect.DeepEqual(was, now) {
		return
	}
	p.replace(k, now)
	if had == has && k.kind != sdn.KindDHCPSubnet { // hosts show the subnet's prefix
		return
	}
	for _, rel := range pointingAt[k.kind] {
		for id := range p.stored[edge{rel, k.id}].all() {
			p.queue = append(p.queue, key{referrer[rel], id})
		}
	}
	if k.kind == sdn.KindChain {
		p.chains[k.id] = struct{}{}
	}
}

func (p *pass) replace(k key, now any) {
	was := p.objects[k.kind][k.id]
	p.touch(k, was)
	p.seen.remove(k.id, edges(was))
	if now == nil {
		delete(p.objects[k.kind], k.id)
		p.lists.remove(k.id, []edge{{ofKind, string(k.kind)}})
	} else {
		p.objects[k.kind][k.id] = now
		p.seen.add(k.id, edges(now))
		p.lists.add(k.id, []edge{{ofKind, string(k.kind)}})
	}
	p.owner(tenantOf(was))
	p.owner(tenantOf(now))
	for _, r := range []any{was, now} {
		if r, ok := r.(sdn.Rule); ok {
			p.chains[string(r.Chain)] = struct{}{}
		}
	}
}

// touch notes what an object was before the first change.
func (p *pass) touch(k key, was any) {
	if _, ok := p.before[k]; !ok && !p.quiet {
		p.before[k] = was
		p.touched = append(p.touched, k)
	}
}

// owner lists a tenant while they own anything.
func (p *pass) owner(t sdn.TenantID) {
	switch {
	case t == "":
	case slices.ContainsFunc(owned, func(rel relation) bool { return p.seen[edge{rel, string(t)}].len() > 0 }):
		p.lists.add(string(t), []edge{{ofTenant, ""}})
	default:
		p.lists.remove(string(t), []edge{{ofTenant, ""}})
	}
}

// number gives the rules of a chain their positions.
func (p *pass) number(chain string) {
	order, _ := p.facts[key{kindOrder, chain}].body.([]string)
	list := make([]sdn.Rule, 0, len(order))
	for _, id := range order {
		was := p.objects[sdn.KindRule][id]
		r, ok := was.(sdn.Rule)
		if !ok || string(r.Chain) != chain {
			continue
		}
		if position := len(list) + 1; r.Position != position {
			p.touch(key{sdn.KindRule, id}, was)
			r.Position = position
			p.objects[sdn.KindRule][id] = r // no edge changes
		}
		list = append(list, r)
	}
	if len(list) == 0 {
		delete(p.rules, sdn.ChainID(chain))
		return
	}
	p.rules[sdn.ChainID(chain)] = list
}
