package ledger

import (
	"maps"
	"math/bits"
	"net/netip"
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
