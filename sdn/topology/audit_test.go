package topology

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// audit holds a topology to what must be true at any time: no dangling
// reference, links that both ends know, no interface twice, shared decisions
// that name what is there, and a picture that is the one a fresh graph would
// compute from the same facts.
func audit(t *testing.T, top *Topology) {
	t.Helper()
	top.mu.RLock()
	defer top.mu.RUnlock()
	g := top.graph
	auditReferences(t, g)
	auditShared(t, g)
	auditStored(t, g)
	fresh := newGraph()
	var facts []fact
	for _, f := range g.facts {
		facts = append(facts, f)
	}
	fresh.apply(facts, g.rev)
	require.Equal(t, fresh.objects, g.objects, "objects of a fresh graph")
	require.Equal(t, fresh.rules, g.rules, "rules of a fresh graph")
	require.Equal(t, fresh.seen, g.seen, "index of a fresh graph")
	require.Equal(t, fresh.stored, g.stored, "index of stored edges of a fresh graph")
}

// auditStored demands, once no deletion is under way, that nothing is stored
// that readers do not see: no remains, no reference to what is gone.
func auditStored(t *testing.T, g *graph) {
	t.Helper()
	if len(g.marked) > 0 {
		return
	}
	require.Equal(t, g.seen, g.stored, "edges of what is seen and of what is stored")
	for k := range g.facts {
		if objects, ok := g.objects[k.kind]; ok {
			require.Contains(t, objects, k.id, "%s is stored and not seen", k)
		}
		if k.kind == kindBind {
			require.True(t, g.has(sdn.KindPort, g.facts[k].body.(string)), "%s", k)
		}
		if k.kind == kindOrder {
			require.True(t, g.has(sdn.KindChain, k.id), "%s", k)
		}
	}
}

func auditReferences(t *testing.T, g *graph) {
	t.Helper()
	target := map[relation]sdn.Kind{}
	for kind, rels := range pointingAt {
		for _, rel := range rels {
			target[rel] = kind
		}
	}
	for kind, objects := range g.objects {
		for id, o := range objects {
			for _, e := range edges(o) {
				switch e.rel {
				case deviceOfPort:
					require.NoError(t, g.needDevice(sdn.DeviceID(e.to)), "%s %s", kind, id)
				case tenantOfRouter, tenantOfBridge, tenantOfChain, homeOfBridge:
				default:
					require.True(t, g.has(target[e.rel], e.to), "%s %s names %s %s", kind, id, target[e.rel], e.to)
				}
			}
		}
	}
	for _, p := range fetch(g.Port, all[sdn.PortID](g, sdn.KindPort)) {
		if p.Peer != "" {
			peer, _ := g.Port(p.Peer)
			require.Equal(t, p.ID, peer.Peer, "peer of the peer of %s", p.ID)
		}
	}
}

func auditShared(t *testing.T, g *graph) {
	t.Helper()
	bound, listed := 0, 0
	for k, f := range g.facts {
		switch k.kind {
		case kindBind:
			p, ok := g.Port(sdn.PortID(f.body.(string)))
			if ok {
				require.Equal(t, k, bindKey(p.Host, p.Interface))
				bound++
			}
		case kindOrder:
			if g.has(sdn.KindChain, k.id) {
				listed += len(g.rules[sdn.ChainID(k.id)])
			}
		case kindZoneName:
			if z, ok := g.zone(sdn.TunnelZoneID(f.body.(string))); ok {
				require.Equal(t, k.id, z.Name)
			}
		}
	}
	ports := 0
	for _, p := range fetch(g.Port, all[sdn.PortID](g, sdn.KindPort)) {
		if p.Host != "" {
			ports++
		}
	}
	require.Equal(t, ports, bound, "bound ports that hold their interface")
	require.Equal(t, len(g.objects[sdn.KindRule]), listed, "rules that have a position")
}

// nothingLeft demands that only what newSite made is stored.
func (s *site) nothingLeft(t *testing.T) {
	t.Helper()
	audit(t, s.Topology)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for k := range s.graph.facts {
		switch k.kind {
		case sdn.KindHost, sdn.KindTunnelZone, kindMember, kindZoneName, kindMeta:
		default:
			require.Fail(t, "left over", "%s", k)
		}
	}
}
