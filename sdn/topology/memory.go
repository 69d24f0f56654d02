package topology

import (
	"context"
	"strings"
	"sync"
)

// memory is a store that forgets everything with the process.
type memory struct {
	mu   sync.Mutex
	rev  int64
	mods map[key]int64
	sink sink
}

func newMemory(to sink) *memory { return &memory{mods: map[key]int64{}, sink: to} }

func (m *memory) commit(_ context.Context, x *txn) (int64, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, mod := range x.relied {
		if m.mods[k] != mod {
			return m.rev, false, nil
		}
	}
	for _, prefix := range x.vacant {
		for k := range m.mods {
			if strings.HasPrefix(k.String(), prefix) {
				return m.rev, false, nil
			}
		}
	}
	facts := x.list(m.rev + 1)
	for i, f := range facts {
		if f.body == nil {
			continue
		}
		// Through the stored form, so that nothing is shared with the caller.
		value, err := encode(f)
		if err != nil {
			return 0, false, err
		}
		if err := facts[i].decode(value); err != nil {
			return 0, false, err
		}
	}
	m.rev++
	for _, f := range facts {
		if f.body == nil {
			delete(m.mods, f.key)
		} else {
			m.mods[f.key] = m.rev
		}
	}
	m.sink.take(facts, m.rev)
	return m.rev, true, nil
}

func (m *memory) head(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rev, nil
}

// all implements store. Bodies are in the graph alone.
func (m *memory) all() ([]fact, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]fact, 0, len(m.mods))
	for k, mod := range m.mods {
		list = append(list, fact{key: k, mod: mod})
	}
	return list, m.rev, nil
}

func (m *memory) close() {}
