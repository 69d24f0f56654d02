package audit

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/moatnet/moat/ipam"
)

// Usage is how much of a tenant's subnet, of all subnets of a tenant, or of a pool is
// in use.
type Usage struct {
	Scope    ipam.Scope   `json:"scope"`
	Subnet   netip.Prefix `json:"subnet,omitzero"` // of a tenant; none: the sum of all
	Used     int          `json:"used"`            // by attachments
	Reserved int          `json:"reserved"`        // kept for who does not have them now
	Cooling  int          `json:"cooling"`         // given back a moment ago
	// Total are the addresses that can be leased, Free those of them that nobody has,
	// the cooling ones too. Of a pool they are not known: the network configurations
	// of its nodes say what is in it.
	Total   *int     `json:"total,omitempty"`
	Free    *int     `json:"free,omitempty"`
	Percent *float64 `json:"percent,omitempty"` // of Total that is not free
}

// Rest is how long an address rests before it is leased again, and how many leases
// a subnet takes at most.
type Rest struct {
	Tenants, Pools time.Duration
	Ports          int
}

// Utilisation tells tenants' subnets, by tenant and order, the sum after those of a
// tenant that has several, and then pools by name.
func Utilisation(s ipam.Snapshot, rest Rest, now time.Time) []Usage {
	t := tally{}
	var total []int // of tenants' subnets, which come first
	for _, tenant := range s.Tenants {
		for _, sub := range tenant.Subnets {
			t.add(ofTenant(tenant.Name), sub.Prefix)
			total = append(total, min(usable(sub), rest.Ports))
		}
	}
	for _, pool := range pools(s) {
		t.add(ofPool(pool), netip.Prefix{})
	}
	for _, h := range s.Held {
		if u := t.of(h.Scope, h.Address); u != nil && h.By.Kind == ipam.ReservationRef {
			u.Reserved++
		} else if u != nil {
			u.Used++
		}
	}
	for _, f := range s.Freed {
		after := rest.Tenants
		if f.Scope.Kind == ipam.PoolScope {
			after = rest.Pools
		}
		if u := t.of(f.Scope, f.Address); u != nil && now.Sub(f.At) < after {
			u.Cooling++
		}
	}
	list := make([]Usage, len(t.all))
	for i, u := range t.all {
		list[i] = *u
	}
	for i, n := range total {
		list[i].fill(n)
	}
	return withSums(list)
}

// withSums adds up the subnets of each tenant that has several.
func withSums(list []Usage) (all []Usage) {
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].Scope == list[0].Scope {
			n++
		}
		all = append(all, list[:n]...)
		if n > 1 {
			sum, total := Usage{Scope: list[0].Scope}, 0
			for _, u := range list[:n] {
				sum.Used, sum.Reserved, sum.Cooling, total = sum.Used+u.Used, sum.Reserved+u.Reserved, sum.Cooling+u.Cooling, total+*u.Total
			}
			sum.fill(total)
			all = append(all, sum)
		}
		list = list[n:]
	}
	return all
}

// tally are the counts, in order and by scope.
type tally struct {
	all     []*Usage
	byScope map[ipam.Scope][]*Usage
}

func (t *tally) add(s ipam.Scope, subnet netip.Prefix) {
	if t.byScope == nil {
		t.byScope = map[ipam.Scope][]*Usage{}
	}
	u := &Usage{Scope: s, Subnet: subnet}
	t.all, t.byScope[s] = append(t.all, u), append(t.byScope[s], u)
}

// of is where an address counts; nil: nowhere.
func (t *tally) of(s ipam.Scope, a netip.Addr) *Usage {
	for _, u := range t.byScope[s] {
		if !u.Subnet.IsValid() || u.Subnet.Contains(a) {
			return u
		}
	}
	return nil
}

// pools are the names of the pools of which something is held, reserved or resting.
func pools(s ipam.Snapshot) []string {
	names := map[string]bool{}
	for _, h := range s.Held {
		names[h.Scope.Name] = names[h.Scope.Name] || h.Scope.Kind == ipam.PoolScope
	}
	for _, f := range s.Freed {
		names[f.Scope.Name] = names[f.Scope.Name] || f.Scope.Kind == ipam.PoolScope
	}
	maps.DeleteFunc(names, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(names))
}

// usable is how many addresses of a subnet are leased to who asks for none: not the
// network's, the gateway, the broadcast address and what the configuration takes out.
func usable(s ipam.Subnet) (n int) {
	out := slices.Concat(s.Exclude, s.Reserved)
	last := 1<<(32-s.Prefix.Bits()) - 1
	for place := 1; place < last; place++ {
		a := ipam.Nth(s.Prefix, place)
		if a != s.Router() && !slices.ContainsFunc(out, func(p netip.Prefix) bool { return p.Contains(a) }) {
			n++
		}
	}
	return n
}

func (u *Usage) fill(total int) {
	free := max(0, total-u.Used-u.Reserved)
	percent := 0.0
	if total > 0 {
		percent = 100 * float64(total-free) / float64(total)
	}
	u.Total, u.Free, u.Percent = &total, &free, &percent
}
