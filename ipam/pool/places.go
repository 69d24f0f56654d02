package pool

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"sort"

	"go4.org/netipx"

	"github.com/moatnet/moat/ipam"
)

// MaxPlaces is how many addresses of a set are leased in turn: the first of
// them. Others can be asked for.
const MaxPlaces = 1 << 24

// span is a run of addresses that are leased, numbered from first on.
type span struct {
	first netip.Addr
	from  int // number of first
	n     int
	part  int
}

// add numbers what a part offers in turn.
func (s *Set) add(key string, p part, reserveFirst, reserveLast int) error {
	first, last := shift(p.first, reserveFirst, 1), shift(p.last, reserveLast, -1)
	var b netipx.IPSetBuilder
	if first.IsValid() && last.IsValid() && first.Compare(last) <= 0 {
		b.AddRange(netipx.IPRangeFrom(first, last))
	}
	b.Remove(p.gateway)
	for _, barred := range p.barred {
		b.RemovePrefix(barred)
	}
	free, err := b.IPSet()
	if err != nil {
		return &ipam.ConfigError{Key: key, Value: p.String(), Reason: err.Error()}
	}
	runs := free.Ranges()
	if len(runs) == 0 {
		return &ipam.ConfigError{Key: key, Value: p.String(), Reason: "no address is left to lease"}
	}
	s.parts = append(s.parts, p)
	for _, r := range runs {
		n := min(distance(r.From(), r.To()), MaxPlaces-1) + 1
		if n = min(n, MaxPlaces-s.total); n <= 0 {
			break
		}
		s.spans = append(s.spans, span{r.From(), s.total, n, len(s.parts) - 1})
		s.total += n
	}
	return nil
}

var _ ipam.Set = Set{}

// Len is how many addresses are leased in turn.
func (s Set) Len() int { return s.total }

// At is the i-th of them, from 0 on.
func (s Set) At(i int) netip.Addr {
	k := sort.Search(len(s.spans), func(k int) bool { return s.spans[k].from > i }) - 1
	return shift(s.spans[k].first, i-s.spans[k].from, 1)
}

// Place is the number of an address, or false for one that is not leased in turn.
func (s Set) Place(a netip.Addr) (int, bool) {
	for _, sp := range s.spans {
		if sp.first.Compare(a) <= 0 && sp.first.BitLen() == a.BitLen() {
			if d := distance(sp.first, a); d < sp.n {
				return sp.from + d, true
			}
		}
	}
	return 0, false
}

// Lease implements ipam.Set: false when no range has the address, or when it is
// excluded or the gateway's. Addresses reserved at a range's ends have a lease.
func (s Set) Lease(a netip.Addr) (ipam.PoolLease, bool) {
	for _, p := range s.parts {
		if a.BitLen() != p.first.BitLen() || p.first.Compare(a) > 0 || a.Compare(p.last) > 0 {
			continue
		}
		if a == p.gateway || special(p.subnet, a) || p.bars(a) {
			return ipam.PoolLease{}, false
		}
		return ipam.PoolLease{Address: netip.PrefixFrom(a, p.subnet.Bits()), Gateway: p.gateway}, true
	}
	return ipam.PoolLease{}, false
}

func (p part) bars(a netip.Addr) bool {
	for _, b := range p.barred {
		if b.Contains(a) {
			return true
		}
	}
	return false
}

// shift is the address n places after a, or before it with sign -1; not valid
// where there is none.
func shift(a netip.Addr, n, sign int) netip.Addr {
	b := a.As16()
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	var carry uint64
	if sign > 0 {
		lo, carry = bits.Add64(lo, uint64(n), 0)
		hi, carry = bits.Add64(hi, 0, carry)
	} else {
		lo, carry = bits.Sub64(lo, uint64(n), 0)
		hi, carry = bits.Sub64(hi, 0, carry)
	}
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	out := netip.AddrFrom16(b)
	switch {
	case carry != 0, a.Is4() && !out.Is4In6():
		return netip.Addr{}
	case a.Is4():
		return out.Unmap()
	}
	return out
}

// distance is how many places b comes after a, at most MaxPlaces.
func distance(a, b netip.Addr) int {
	x, y := a.As16(), b.As16()
	lo, borrow := bits.Sub64(binary.BigEndian.Uint64(y[8:]), binary.BigEndian.Uint64(x[8:]), 0)
	hi, _ := bits.Sub64(binary.BigEndian.Uint64(y[:8]), binary.BigEndian.Uint64(x[:8]), borrow)
	if hi != 0 || lo > MaxPlaces {
		return MaxPlaces
	}
	return int(lo)
}
