package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/queue"
)

// pictureKey tells subnets apart; the generation, because a subnet may come
// back to a tenant of the same name.
type pictureKey struct {
	tenant, generation string
	subnet             netip.Prefix
}

// picture is what this process believes to be free among the places of a subnet
// or of a pool's set. It may be wrong in both directions: the transaction
// decides, and what it answers is drawn in.
type picture struct {
	places   places
	most     int // places that may be held at once
	coolDown time.Duration
	now      func() time.Time

	loading queue.Queue[struct{}] // whose turn it is to load

	mu      sync.Mutex
	loads   int
	used    []uint64 // a bit for each place that is held, cooling or nobody's
	nobodys []uint64 // a bit for each place that is nobody's; one may be asked for
	held    int
	next    int
	pending map[int]bool  // taken here, transaction under way
	freed   map[int]freed // given back at some time
	cooling []int         // of those, the ones still passed over, oldest first
}

// freed is since when this process knows that a place was given back, and the
// revision that says so. Revisions tell the order: nodes' clocks may be wrong.
type freed struct {
	known time.Time
	rev   int64
}

type freedValue struct {
	At time.Time `json:"at"`
}

func newPicture(of places, most int, coolDown time.Duration, now func() time.Time) *picture {
	return &picture{places: of, most: most, coolDown: coolDown, now: now, pending: map[int]bool{}}
}

func (l *Ledger) picture(t ipam.Tenant, subnet netip.Prefix) *picture {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := pictureKey{t.Name, t.Generation, subnet}
	p, ok := l.pictures[k]
	if !ok {
		maps.DeleteFunc(l.pictures, func(old pictureKey, _ *picture) bool {
			return old.tenant == t.Name && old.generation != t.Generation
		})
		p = newPicture(subnetPlaces{t.Subnet(subnet)}, l.opt.Ports, l.opt.AddressCoolDown, l.opt.Now)
		l.pictures[k] = p
	}
	return p
}

// known is the picture of a subnet, nil when there is none yet: who has not the
// tenant's whole record cannot make one.
func (l *Ledger) known(t ipam.Tenant, subnet netip.Prefix) *picture {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pictures[pictureKey{t.Name, t.Generation, subnet}]
}

func (l *Ledger) forget(t ipam.Tenant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range l.pictures {
		if k.tenant == t.Name && k.generation == t.Generation {
			delete(l.pictures, k)
		}
	}
}

// load reads the subnet's addresses, unless another did since the caller saw
// the picture (seen is its count of loads then).
func (l *Ledger) load(ctx context.Context, p *picture, tenant string, subnet netip.Prefix, seen int) (err error) {
	if p.count() != seen {
		return nil
	}
	leave, err := p.turn(ctx)
	if err != nil {
		return err
	}
	defer leave(&err)
	if p.count() != seen {
		return nil
	}
	res, err := l.read(ctx, "read addresses of tenant "+tenant, addresses(tenant, subnet)...)
	if err != nil {
		return err
	}
	return p.draw(res.Out[0].Pairs, res.Out[1].Pairs)
}

// turn waits until nobody else loads.
func (p *picture) turn(ctx context.Context) (queue.Leave, error) {
	leave, err := p.loading.Enter(ctx, struct{}{})
	if err != nil && !errors.Is(err, ipam.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", ipam.ErrUnavailable, err)
	}
	return leave, err
}

// addresses asks for the held and the freed addresses of a subnet, which a
// picture is drawn from.
func addresses(tenant string, subnet netip.Prefix) (ops []Op) {
	for _, prefix := range []string{addressesOf(tenant), freedOf(tenant)} {
		key, end := span(prefix, subnet)
		ops = append(ops, Op{Kind: OpGet, Key: key, End: end})
	}
	return ops
}

func (p *picture) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.loads
}

// draw starts the picture anew from what the store holds. The first time it
// goes on behind the address that was leased last, whoever did so.
func (p *picture) draw(held, given []Pair) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.places.Len()
	p.used, p.held = make([]uint64, (n+63)/64), 0
	before := p.freed
	p.freed, p.cooling = map[int]freed{}, nil
	for _, i := range p.places.nobodys() {
		p.set(i)
	}
	for i := n; i < len(p.used)*64; i++ {
		p.set(i)
	}
	p.nobodys = slices.Clone(p.used)
	first, latest := p.loads == 0, int64(0)
	for _, kv := range held {
		i, ok, err := p.place(kv.Key)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		p.hold(i)
		if first && kv.Create > latest && !reserved(kv.Value) {
			latest, p.next = kv.Create, i+1
		}
	}
	for i := range p.pending {
		p.hold(i)
	}
	if err := p.drawFreed(given, before); err != nil {
		return err
	}
	p.loads++
	return nil
}

// drawFreed draws in what was given back, in the order of time. Of what was known
// before it is known since when.
func (p *picture) drawFreed(given []Pair, before map[int]freed) error {
	now := p.now()
	type back struct {
		place int
		freed
	}
	all := make([]back, 0, len(given))
	for _, kv := range given {
		i, ok, err := p.place(kv.Key)
		if err != nil {
			return err
		}
		var v freedValue
		if err := json.Unmarshal(kv.Value, &v); err != nil {
			return fmt.Errorf("read %s: %w: %w", kv.Key, ipam.ErrCorrupt, err)
		}
		if ok {
			since := now
			if known := before[i]; known.rev == kv.Mod {
				since = known.known
			}
			all = append(all, back{i, freed{since, kv.Mod}})
		}
	}
	slices.SortFunc(all, func(a, b back) int { return cmp.Or(cmp.Compare(a.rev, b.rev), cmp.Compare(a.place, b.place)) })
	for _, b := range all {
		p.cool(b.place, b.freed)
	}
	return nil
}

// place is the place that a key is about; false when it is not one of these.
func (p *picture) place(key string) (int, bool, error) {
	a, err := unsortable(key[strings.LastIndexByte(key, '/')+1:])
	if err != nil {
		return 0, false, err
	}
	i, ok := p.places.Place(a)
	return i, ok, nil
}

func (p *picture) set(i int)      { p.used[i/64] |= 1 << (i % 64) }
func (p *picture) clear(i int)    { p.used[i/64] &^= 1 << (i % 64) }
func (p *picture) has(i int) bool { return p.used[i/64]&(1<<(i%64)) != 0 }

func (p *picture) hold(i int) {
	if !p.has(i) {
		p.set(i)
		p.held++
	}
}

// cool keeps a place that was given back from being taken for a while. It is
// drawn in order of time, so that the oldest comes first.
func (p *picture) cool(i int, f freed) {
	p.freed[i] = f
	if p.has(i) {
		return
	}
	p.set(i)
	at := len(p.cooling)
	for at > 0 && p.freed[p.cooling[at-1]].rev > f.rev {
		at--
	}
	p.cooling = append(p.cooling, 0)
	copy(p.cooling[at+1:], p.cooling[at:])
	p.cooling[at] = i
}

// take picks the next free place, or the one given back longest ago when there
// is no other, and holds it for the caller. It is false when the subnet, or its
// bridge, is full.
func (p *picture) take() (place int, rev int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for len(p.cooling) > 0 && p.rested(p.cooling[0], now) {
		p.clear(p.cooling[0])
		p.cooling = p.cooling[1:]
	}
	if p.held >= p.most {
		return 0, 0, false
	}
	place, ok = p.free()
	if !ok {
		if len(p.cooling) == 0 {
			return 0, 0, false
		}
		place, p.cooling = p.cooling[0], p.cooling[1:]
		p.clear(place)
	}
	p.hold(place)
	p.pending[place] = true
	p.next = place + 1
	return place, p.freed[place].rev, true
}

// rested says whether a place that was given back has been passed over for long
// enough, here: what clocks say, others' or this node's before it was set, is no
// measure.
func (p *picture) rested(place int, now time.Time) bool {
	return p.coolDown <= 0 || now.Sub(p.freed[place].known) >= p.coolDown
}

// free is the first clear bit from next on, and once around.
func (p *picture) free() (int, bool) {
	n := len(p.used) * 64
	start := p.next % n
	for k := 0; k <= len(p.used); k++ {
		w := (start/64 + k) % len(p.used)
		word := ^p.used[w]
		if k == 0 {
			word &= ^uint64(0) << (start % 64)
		}
		if word != 0 {
			return w*64 + bits.TrailingZeros64(word), true
		}
	}
	return 0, false
}
