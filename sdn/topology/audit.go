package topology

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/moatnet/moat/sdn"
)

const (
	maxFindings   = 20 // of one audit
	auditAttempts = 50 // to find memory and store at the same revision
)

// Audit checks what must be true at any time, and says what is not: no
// reference to what is gone, links that both ends know, names held by what has
// them, a picture that is the one a fresh graph would compute from the same
// facts, and facts that are those of the store. It is for tests and for those
// who doubt: it reads all that is stored, and checked writes wait for it.
func (t *Topology) Audit() error {
	t.turns <- struct{}{}
	defer func() { <-t.turns }()
	a := audit{}
	if err := a.store(t.state); err != nil {
		return fmt.Errorf("audit topology: %w", err)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	a.graph = t.graph
	a.references()
	a.links()
	a.decisions()
	a.remains()
	a.fresh()
	a.tried(t.trial)
	if len(a.found) == 0 {
		return nil
	}
	return fmt.Errorf("audit topology: %w", errors.Join(a.found...))
}

// audit gathers what is wrong with a graph.
type audit struct {
	*graph
	found []error
}

func (a *audit) require(ok bool, format string, args ...any) {
	if !ok && len(a.found) < maxFindings {
		a.found = append(a.found, fmt.Errorf(format, args...))
	}
}

// store compares the graph with what is stored, when both are at one revision.
func (a *audit) store(s *state) error {
	for range auditAttempts {
		facts, rev, err := s.store.all()
		if err != nil {
			return err
		}
		stored := make(map[key]fact, len(facts))
		for _, f := range facts {
			stored[f.key] = f
		}
		if a.compare(s, stored, rev) {
			return nil
		}
	}
	return fmt.Errorf("memory and store are never at the same revision: %w", sdn.ErrUnavailable)
}

// compare reports whether the two could be compared: whether the last write in
// memory is that of a revision.
func (a *audit) compare(s *state, stored map[key]fact, rev int64) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	last := s.graph.rev
	if head, ok := s.graph.facts[headKey]; ok {
		last = head.mod
	}
	if last != rev {
		return false
	}
	for k, f := range stored {
		had, ok := s.graph.facts[k]
		a.require(ok && had.mod == f.mod, "%s is stored at revision %d, memory has it at %d", k, f.mod, had.mod)
		a.require(f.body == nil || reflect.DeepEqual(had, f), "%s is not in memory what it is in the store", k)
	}
	for k := range s.graph.facts {
		_, ok := stored[k]
		a.require(ok, "%s is in memory and not stored", k)
	}
	return true
}

// references looks for what refers to nothing.
func (a *audit) references() {
	target := map[relation]sdn.Kind{}
	for kind, rels := range pointingAt {
		for _, rel := range rels {
			target[rel] = kind
		}
	}
	for kind, objects := range a.objects {
		for id, o := range objects {
			for _, e := range edges(o) {
				switch to, binding := target[e.rel]; {
				case e.rel == deviceOfPort:
					a.require(a.needDevice(sdn.DeviceID(e.to)) == nil, "%s %s is on the device %s, which is not there", kind, id, e.to)
				case binding:
					a.require(a.has(to, e.to), "%s %s names %s %s, which is not there", kind, id, to, e.to)
				}
			}
		}
	}
}

func (a *audit) links() {
	for id, o := range a.objects[sdn.KindPort] {
		p := o.(sdn.Port)
		if p.Peer != "" {
			peer, _ := a.Port(p.Peer)
			a.require(peer.Peer == p.ID, "port %s is linked to %s, which is linked to %q", id, p.Peer, peer.Peer)
		}
		if p.Host != "" {
			held, _ := a.facts[bindKey(p.Host, p.Interface)].body.(string)
			a.require(held == id, "interface %s of host %s is held by %q, not by the bound port %s", p.Interface, p.Host, held, id)
		}
	}
	for id, o := range a.objects[sdn.KindRule] {
		r := o.(sdn.Rule)
		list := a.RulesOf(r.Chain)
		at := r.Position - 1
		a.require(at >= 0 && at < len(list) && string(list[at].ID) == id, "rule %s has no position in chain %s", id, r.Chain)
	}
}

// decisions looks at what several objects share.
func (a *audit) decisions() {
	for k, f := range a.facts {
		switch k.kind {
		case kindBind:
			if p, ok := a.Port(sdn.PortID(f.body.(string))); ok {
				a.require(k == bindKey(p.Host, p.Interface), "%s is held by port %s, which is bound to %s of %s", k, p.ID, p.Interface, p.Host)
			}
		case kindZoneName:
			if z, ok := a.zone(sdn.TunnelZoneID(f.body.(string))); ok {
				a.require(k.id == z.Name, "%s is held by zone %s, whose name is %s", k, z.ID, z.Name)
			}
		case kindPrefix:
			if s, ok := object[sdn.DHCPSubnet](a.graph, sdn.KindDHCPSubnet, f.body.(string)); ok {
				a.require(k == prefixKey(s.Bridge, s.Prefix), "%s is held by a subnet of prefix %s", k, s.Prefix)
			}
		}
	}
	for id, o := range a.objects[sdn.KindDHCPSubnet] {
		s := o.(sdn.DHCPSubnet)
		held, _ := a.facts[prefixKey(s.Bridge, s.Prefix)].body.(string)
		a.require(held == id, "subnet %s of bridge %s does not hold its prefix", s.Prefix, s.Bridge)
	}
	for id, o := range a.objects[sdn.KindTunnelZone] {
		held, _ := a.facts[key{kindZoneName, o.(sdn.TunnelZone).Name}].body.(string)
		a.require(held == id, "zone %s does not hold its name", id)
	}
}

// remains demands, once no deletion is under way, that nothing is stored that
// readers do not see: no remains, no reference to what is gone.
func (a *audit) remains() {
	if len(a.marked) > 0 {
		return
	}
	a.require(a.seen.equal(a.stored), "what is stored refers to what readers do not see")
	for k, f := range a.facts {
		_, seen := a.objects[k.kind][k.id]
		switch k.kind {
		case kindBind:
			seen = a.has(sdn.KindPort, f.body.(string))
		case kindZoneName:
			seen = a.has(sdn.KindTunnelZone, f.body.(string))
		case kindPrefix:
			seen = a.has(sdn.KindDHCPSubnet, f.body.(string))
		case kindOrder:
			seen = a.has(sdn.KindChain, k.id)
		case kindMeta:
			seen = true
		}
		a.require(seen, "%s is stored and nobody sees it", k)
	}
}

// fresh computes the picture again.
func (a *audit) fresh() {
	g := newGraph()
	facts := make([]fact, 0, len(a.facts))
	for _, f := range a.facts {
		facts = append(facts, f)
	}
	g.apply(facts, a.rev)
	for kind := range a.objects {
		a.require(reflect.DeepEqual(g.objects[kind], a.objects[kind]), "the picture of kind %s is not what the facts say", kind)
	}
	a.require(reflect.DeepEqual(g.rules, a.rules), "the rules are not what the facts say")
	a.require(g.seen.equal(a.seen) && g.lists.equal(a.lists), "the index is not what the facts say")
	a.require(g.stored.equal(a.stored), "the index of what is stored is not what the facts say")
}

// tried demands that the trial's graph has no trace of what was tried on it. It
// needs the turn.
func (a *audit) tried(t *trial) {
	if t == nil {
		return
	}
	t.catchUp()
	a.require(reflect.DeepEqual(t.graph.facts, a.facts), "the graph of trials has other facts")
	a.require(reflect.DeepEqual(t.graph.objects, a.objects) && reflect.DeepEqual(t.graph.rules, a.rules), "the graph of trials shows another picture")
	a.require(t.graph.seen.equal(a.seen) && t.graph.stored.equal(a.stored) && t.graph.lists.equal(a.lists), "the graph of trials has another index")
}
