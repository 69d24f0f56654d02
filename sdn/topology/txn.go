package topology

import (
	"errors"
	"maps"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/sdn"
)

// errUnfinished says that a write needs an ID, a name or an interface that is
// still held by something marked as deleted.
var errUnfinished = errors.New("a deletion is not finished")

// txn is a write in the making: what it relied on, and what it changes. Once it
// is planned it does without the graph, and so without the graph's lock.
type txn struct {
	graph  *graph
	rev    int64         // of the graph that it was planned on
	relied map[key]int64 // revision of each key that was looked at; 0: not there
	vacant []string      // key prefixes under which nothing may be
	writes map[key]fact
	chains map[sdn.ChainID]struct{} // whose rules or users the write touches

	deadHosts bool // ports may be bound to hosts without an engine
}

func newTxn(g *graph) *txn {
	x := &txn{graph: g, rev: g.rev, relied: map[key]int64{}, writes: map[key]fact{}, chains: map[sdn.ChainID]struct{}{}}
	x.rely(schemaKey)
	return x
}

func (x *txn) rely(k key) { x.relied[k] = x.graph.facts[k].mod }

// look returns an object as the write would leave it, and relies on it.
func look[T any, ID ~string](x *txn, kind sdn.Kind, id ID) (T, error) {
	k := key{kind, string(id)}
	x.rely(k)
	v, ok := x.graph.objects[kind][string(id)].(T)
	if w, pending := x.writes[k]; pending {
		v, ok = w.body.(T)
	}
	if !ok {
		return v, missing(kind, id)
	}
	return v, nil
}

// need relies on an object's existence; the zero ID needs nothing.
func need[ID ~string](x *txn, kind sdn.Kind, ids ...ID) error {
	for _, id := range ids {
		if id == "" {
			continue
		}
		x.rely(key{kind, string(id)})
		if !x.graph.has(kind, string(id)) {
			return missing(kind, id)
		}
	}
	return nil
}

// parent needs what an object is a part of.
func parent[ID ~string](x *txn, kind sdn.Kind, id ID) error {
	if id == "" {
		return missing(kind, id)
	}
	return need(x, kind, id)
}

// vacate relies on nothing being stored under a key.
func (x *txn) vacate(k key) error {
	x.rely(k)
	if _, held := x.graph.facts[k]; held {
		return errUnfinished
	}
	return nil
}

// create puts an object whose ID nothing has.
func (x *txn) create(kind sdn.Kind, id string, body any) error {
	if x.graph.has(kind, id) {
		return exists(kind, id)
	}
	k := key{kind, id}
	if err := x.vacate(k); err != nil {
		return err
	}
	x.put(k, body)
	return nil
}

func (x *txn) put(k key, body any) {
	x.rely(k)
	x.writes[k] = fact{key: k, body: essence(body), created: x.graph.facts[k].created}
}

// essence is an object without what is computed and never stored.
func essence(body any) any {
	switch b := body.(type) {
	case sdn.Port:
		b.TunnelKey, b.Active = 0, false
		return b
	case sdn.Rule:
		b.Position = 0
		return b
	case sdn.Host:
		b.Alive, b.Addresses, b.Interfaces = false, nil, nil
		return b
	case dhcpHost:
		b.Host.Bridge, b.Host.Subnet = "", netip.Prefix{}
		return b
	}
	return body
}

func (x *txn) remove(k key) {
	x.rely(k)
	if _, stored := x.graph.facts[k]; stored {
		x.writes[k] = fact{key: k}
	} else {
		delete(x.writes, k)
	}
}

// mark makes an object, and all that cannot be without it, invisible.
func (x *txn) mark(kind sdn.Kind, id string) {
	k := key{kind, id}
	x.rely(k)
	x.writes[k] = fact{key: k, body: x.graph.facts[k].body, created: x.graph.facts[k].created, deleted: true}
}

// touch notes chains whose rules or users the write touches.
func (x *txn) touch(ids ...sdn.ChainID) {
	for _, id := range ids {
		if id != "" {
			x.chains[id] = struct{}{}
		}
	}
}

// filters needs the chains of a user's references, and touches those that the
// write adds or puts in another place.
func (x *txn) filters(now, before []sdn.ChainID) error {
	if err := need(x, sdn.KindChain, now...); err != nil {
		return err
	}
	for i, c := range now {
		if i >= len(before) || before[i] != c {
			x.touch(c)
		}
	}
	return nil
}

// pin writes an object as it is, so that a write that would remove it without
// marking it is computed anew.
func (x *txn) pin(kind sdn.Kind, id string) {
	x.put(key{kind, id}, x.graph.objects[kind][id])
}

// list returns the writes in the order of their keys, with the revisions that
// they would have at rev.
func (x *txn) list(rev int64) []fact {
	list := slices.SortedFunc(maps.Values(x.writes), func(a, b fact) int {
		if a.key.String() < b.key.String() {
			return -1
		}
		return 1
	})
	for i := range list {
		list[i].mod = rev
		if list[i].created == 0 {
			list[i].created = rev
		}
	}
	return list
}
