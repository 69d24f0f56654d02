package ledger

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/moatnet/moat/ipam"
)

// window is how many slots behind the one it lost a claimer is told of.
const window = 1024

// slotValue is who holds a slot, or since when nobody does.
type slotValue struct {
	Tenant     string     `json:"tenant,omitempty"`
	Generation string     `json:"generation,omitempty"`
	FreedAt    *time.Time `json:"freedAt,omitempty"`
}

// search looks for a free slot of one pool, from a place on and once around.
type search struct {
	prefix string
	pool   string // for the error
	key    string // configuration key
	total  int
	slot   int   // the candidate
	rev    int64 // its revision, 0 when the slot was never used
	passed int   // slots known not to be free
}

func newSearch(prefix, pool, key string, total int, name string) *search {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return &search{prefix: prefix, pool: pool, key: key, total: total, slot: int(h.Sum32() % uint32(total))}
}

func (s *search) cond() Cond { return at(slotKey(s.prefix, s.slot), s.rev) }

func (s *search) take(t ipam.Tenant) (Op, error) {
	v, err := encode(slotValue{Tenant: t.Name, Generation: t.Generation})
	return put(slotKey(s.prefix, s.slot), v), err
}

// look asks for the used slots from the candidate on.
func (s *search) look() Op {
	return Op{Kind: OpGet, Key: slotKey(s.prefix, s.slot), End: slotKey(s.prefix, min(s.slot+window, s.total))}
}

// learn makes the next free slot the candidate, given what look brought.
// It returns an *ipam.ExhaustedError when it has been around.
func (s *search) learn(seen []Pair, now time.Time, coolDown time.Duration) error {
	taken := map[int]Pair{}
	for _, p := range seen {
		n, err := strconv.Atoi(strings.TrimPrefix(p.Key, s.prefix))
		if err != nil {
			return fmt.Errorf("slot key %q: %w", p.Key, ipam.ErrCorrupt)
		}
		taken[n] = p
	}
	end := min(s.slot+window, s.total)
	for ; s.slot < end && s.passed < s.total; s.slot, s.passed = s.slot+1, s.passed+1 {
		p, used := taken[s.slot]
		if !used {
			s.rev = 0
			return nil
		}
		var v slotValue
		if err := json.Unmarshal(p.Value, &v); err != nil {
			return fmt.Errorf("read %s: %w: %w", p.Key, ipam.ErrCorrupt, err)
		}
		if v.FreedAt != nil && !now.Before(v.FreedAt.Add(coolDown)) {
			s.rev = p.Mod
			return nil
		}
	}
	if s.passed >= s.total {
		return &ipam.ExhaustedError{Pool: s.pool, Key: s.key}
	}
	s.rev = 0
	if s.slot == s.total {
		s.slot = 0
	}
	return nil
}
