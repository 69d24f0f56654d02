package pool

import (
	"net/netip"

	"go4.org/netipx"

	"github.com/moatnet/moat/ipam"
)

// Subnet4 checks a range as a tenant's own subnet, which is IPv4, and returns it
// without slot and bridge: what lies beyond the range's ends is excluded. key is
// what the configuration calls it; an error is an *ipam.ConfigError.
func (r Range) Subnet4(key string) (ipam.Subnet, error) {
	if a := r.Subnet.Addr(); a.Is6() && !a.Is4In6() {
		return ipam.Subnet{}, &ipam.ConfigError{Key: key, Value: r.Subnet.String(),
			Reason: "not IPv4, as tenants' networks are; pools of moat-ipam may be IPv6"}
	}
	p, err := r.check(key)
	if err != nil {
		return ipam.Subnet{}, err
	}
	var set Set
	if err := set.add(key, p, r.ReserveFirst, r.ReserveLast); err != nil {
		return ipam.Subnet{}, err
	}
	s := ipam.Subnet{Prefix: p.subnet, Slot: ipam.NoSlot, Exclude: p.barred}
	if p.gateway != ipam.Gateway(p.subnet) {
		s.Gateway = p.gateway
	}
	s.Exclude = append(s.Exclude, between(usable(p.subnet), p.first.Prev())...)
	s.Exclude = append(s.Exclude, between(p.last.Next(), lastUsable(p.subnet))...)
	s.Reserved = append(between(p.first, shift(p.first, r.ReserveFirst, 1).Prev()), between(shift(p.last, r.ReserveLast, -1).Next(), p.last)...)
	return s, nil
}

// between are the prefixes that make up first to last; none when last comes
// before first.
func between(first, last netip.Addr) []netip.Prefix {
	if !last.IsValid() || !first.IsValid() || last.Less(first) {
		return nil
	}
	return netipx.IPRangeFrom(first, last).Prefixes()
}
