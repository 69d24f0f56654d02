package ledger

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/moatnet/moat/ipam"
)

// Memory is a KV that lives as long as the process.
type Memory struct {
	mu    sync.Mutex
	rev   int64
	pairs map[string]Pair
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{rev: 1, pairs: map[string]Pair{}} }

// Commit implements KV.
func (m *Memory) Commit(ctx context.Context, t Txn) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ipam.ErrUnavailable, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.rev + 1
	res, wrote := m.apply(t, next)
	if wrote {
		m.rev = next
	}
	res.Revision = m.rev
	return res, nil
}

func (m *Memory) apply(t Txn, rev int64) (Result, bool) {
	res := Result{OK: !slices.ContainsFunc(t.If, func(c Cond) bool { return !m.holds(c) })}
	ops := t.Then
	if !res.OK {
		ops = t.Else
	}
	wrote := false
	for _, op := range ops {
		out := Out{}
		switch op.Kind {
		case OpGet:
			for _, k := range m.keys(op.Key, op.End) {
				if m.pairs[k].Mod >= op.Since && (op.Limit == 0 || len(out.Pairs) < op.Limit) {
					out.Pairs = append(out.Pairs, m.pairs[k])
				}
			}
		case OpPut:
			p := Pair{Key: op.Key, Value: slices.Clone(op.Value), Create: rev, Mod: rev}
			if old, ok := m.pairs[op.Key]; ok {
				p.Create = old.Create
			}
			m.pairs[op.Key], wrote = p, true
		case OpDelete:
			for _, k := range m.keys(op.Key, op.End) {
				delete(m.pairs, k)
				wrote = true
			}
		case OpTxn:
			sub, w := m.apply(op.Txn, rev)
			out.Txn, wrote = &sub, wrote || w
		}
		res.Out = append(res.Out, out)
	}
	return res, wrote
}

func (m *Memory) holds(c Cond) bool {
	keys := m.keys(c.Key, c.End)
	if len(keys) == 0 {
		return c.Want == 0
	}
	return !slices.ContainsFunc(keys, func(k string) bool {
		if c.On == CreateRevision {
			return m.pairs[k].Create != c.Want
		}
		return m.pairs[k].Mod != c.Want
	})
}

func (m *Memory) keys(key, end string) []string {
	if end == "" {
		if _, ok := m.pairs[key]; !ok {
			return nil
		}
		return []string{key}
	}
	var ks []string
	for k := range m.pairs {
		if k >= key && k < end {
			ks = append(ks, k)
		}
	}
	sort.Strings(ks)
	return ks
}
