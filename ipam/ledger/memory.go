package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/moatnet/moat/ipam"
)

// Memory is a KV that lives as long as the process. It keeps all versions of all
// keys, and so is not for long lives.
type Memory struct {
	mu   sync.Mutex
	rev  int64
	past map[string][]Pair // versions in order; one with Create 0 is a deletion
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{rev: 1, past: map[string][]Pair{}} }

// Commit implements KV.
func (m *Memory) Commit(ctx context.Context, t Txn) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ipam.ErrUnavailable, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.rev + 1
	way := m.way(t)
	res, wrote := m.apply(t, next, &way)
	if wrote {
		m.rev = next
	}
	res.Revision = m.rev
	return res, nil
}

// way says which branches a transaction and those in it take, in their order: all
// conditions are looked at before anything is written.
func (m *Memory) way(t Txn) []bool {
	ok := !slices.ContainsFunc(t.If, func(c Cond) bool { return !m.holds(c) })
	all := []bool{ok}
	for _, op := range t.branch(ok) {
		if op.Kind == OpTxn {
			all = append(all, m.way(op.Txn)...)
		}
	}
	return all
}

func (t Txn) branch(ok bool) []Op {
	if ok {
		return t.Then
	}
	return t.Else
}

func (m *Memory) apply(t Txn, rev int64, way *[]bool) (Result, bool) {
	res := Result{OK: (*way)[0]}
	*way = (*way)[1:]
	wrote := false
	for _, op := range t.branch(res.OK) {
		out := Out{}
		switch op.Kind {
		case OpGet:
			for _, p := range m.pairs(op.Key, op.End, op.At) {
				if p.Mod >= op.Since && (op.Limit == 0 || len(out.Pairs) < op.Limit) {
					out.Pairs = append(out.Pairs, p)
				}
			}
		case OpPut:
			p := Pair{Key: op.Key, Value: slices.Clone(op.Value), Create: rev, Mod: rev}
			if old, ok := m.version(op.Key, 0); ok {
				p.Create = old.Create
			}
			m.past[op.Key], wrote = append(m.past[op.Key], p), true
		case OpDelete:
			for _, p := range m.pairs(op.Key, op.End, 0) {
				m.past[p.Key], wrote = append(m.past[p.Key], Pair{Key: p.Key, Mod: rev}), true
			}
		case OpTxn:
			sub, w := m.apply(op.Txn, rev, way)
			out.Txn, wrote = &sub, wrote || w
		}
		res.Out = append(res.Out, out)
	}
	return res, wrote
}

func (m *Memory) holds(c Cond) bool {
	pairs := m.pairs(c.Key, c.End, 0)
	if len(pairs) == 0 {
		return c.On != Value && (c.On == NoNewer || c.Want == 0)
	}
	return !slices.ContainsFunc(pairs, func(p Pair) bool {
		switch c.On {
		case CreateRevision:
			return p.Create != c.Want
		case NoNewer:
			return p.Mod > c.Want
		case Value:
			return string(p.Value) != c.Is
		default:
			return p.Mod != c.Want
		}
	})
}

// version is a key as it was at a revision, or as it is with 0.
func (m *Memory) version(key string, rev int64) (Pair, bool) {
	all := m.past[key]
	for i := len(all) - 1; i >= 0; i-- {
		if rev == 0 || all[i].Mod <= rev {
			return all[i], all[i].Create != 0
		}
	}
	return Pair{}, false
}

func (m *Memory) pairs(key, end string, rev int64) (ps []Pair) {
	if end == "" {
		if p, ok := m.version(key, rev); ok {
			ps = append(ps, p)
		}
		return ps
	}
	for k := range m.past {
		if k < key || k >= end {
			continue
		}
		if p, ok := m.version(k, rev); ok {
			ps = append(ps, p)
		}
	}
	slices.SortFunc(ps, func(a, b Pair) int { return strings.Compare(a.Key, b.Key) })
	return ps
}
