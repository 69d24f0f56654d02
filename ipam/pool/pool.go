package pool

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/moatnet/moat/ipam"
)

// MaxRanges bounds the ranges of a pool, of all sets together.
const MaxRanges = 256

// Range is a part of a subnet from which addresses are leased, as the host-local
// plugin writes it.
type Range struct {
	Subnet netip.Prefix `json:"subnet"`
	// Start and End are the first and last address; not valid: the subnet's.
	Start netip.Addr `json:"rangeStart,omitzero"`
	End   netip.Addr `json:"rangeEnd,omitzero"`
	// Gateway is an address of the subnet, "first" or "last"; "": first.
	Gateway string `json:"gateway,omitempty"`
	// Exclude lists addresses and prefixes that are never leased.
	Exclude []string `json:"exclude,omitempty"`
	// ReserveFirst and ReserveLast are numbers of addresses at the ends of the
	// range that are leased only to who asks for them.
	ReserveFirst int `json:"reserveFirst,omitempty"`
	ReserveLast  int `json:"reserveLast,omitempty"`
}

// Pool is a checked configuration.
type Pool struct{ Sets []Set }

// Set is what one address is taken from. All of it is of one family.
type Set struct {
	spans []span
	parts []part
	total int
}

// part is one range after checking.
type part struct {
	subnet  netip.Prefix
	gateway netip.Addr
	first   netip.Addr // of the range, reserved ends included
	last    netip.Addr
	barred  []netip.Prefix // excluded by configuration
}

// New checks sets of ranges. key is what the configuration calls them, such as
// "ipam.ranges"; an error is an *ipam.ConfigError that names the one in it.
func New(key string, sets [][]Range) (Pool, error) {
	var p Pool
	var seen []named
	if len(sets) == 0 {
		return p, &ipam.ConfigError{Key: key, Value: "(none)", Reason: "at least one set with one range is needed"}
	}
	count := 0
	for i, ranges := range sets {
		at := fmt.Sprintf("%s[%d]", key, i)
		if count += len(ranges); count > MaxRanges {
			return p, &ipam.ConfigError{Key: key, Value: fmt.Sprintf("%d ranges and more", count), Reason: fmt.Sprintf("at most %d are possible", MaxRanges)}
		}
		if len(ranges) == 0 {
			return p, &ipam.ConfigError{Key: at, Value: "[]", Reason: "a set needs a range"}
		}
		set, err := newSet(at, ranges, &seen)
		if err != nil {
			return p, err
		}
		p.Sets = append(p.Sets, set)
	}
	return p, nil
}

func newSet(key string, ranges []Range, seen *[]named) (Set, error) {
	var s Set
	for i, r := range ranges {
		at := fmt.Sprintf("%s[%d]", key, i)
		part, err := r.check(at)
		if err != nil {
			return s, err
		}
		if i > 0 && part.subnet.Addr().Is4() != s.parts[0].subnet.Addr().Is4() {
			return s, &ipam.ConfigError{Key: at + ".subnet", Value: r.Subnet.String(), Reason: "a set is of one address family; put it into a set of its own"}
		}
		for _, other := range *seen {
			if other.overlaps(part) {
				return s, &ipam.ConfigError{Key: at, Value: part.String(), Reason: "overlaps " + other.key + ", " + other.part.String()}
			}
		}
		*seen = append(*seen, named{at, part})
		if err := s.add(at, part, r.ReserveFirst, r.ReserveLast); err != nil {
			return s, err
		}
	}
	return s, nil
}

// named is a range with its place in the configuration.
type named struct {
	key string
	part
}

// String lists the set's ranges, with everything that makes them differ.
func (s Set) String() string {
	var b strings.Builder
	for _, p := range s.parts {
		fmt.Fprintf(&b, "%s %s without %v by %s; ", p.subnet, p, p.barred, p.gateway)
	}
	for _, sp := range s.spans {
		fmt.Fprintf(&b, "%s+%d ", sp.first, sp.n)
	}
	return b.String()
}

func (p part) String() string { return p.first.String() + " to " + p.last.String() }

func (p part) overlaps(o part) bool {
	return p.first.Compare(o.last) <= 0 && o.first.Compare(p.last) <= 0
}
