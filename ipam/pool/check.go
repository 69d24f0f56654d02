package pool

import (
	"net/netip"
	"strconv"

	"go4.org/netipx"

	"github.com/moatnet/moat/ipam"
)

// check makes a part of a range.
func (r Range) check(key string) (part, error) {
	wrong := func(field, value, reason string) (part, error) {
		return part{}, &ipam.ConfigError{Key: key + "." + field, Value: value, Reason: reason}
	}
	if reason := badSubnet(r.Subnet); reason != "" {
		return wrong("subnet", r.Subnet.String(), reason)
	}
	p := part{subnet: r.Subnet, first: usable(r.Subnet), last: lastUsable(r.Subnet)}
	for _, end := range []struct {
		field string
		given netip.Addr
		to    *netip.Addr
	}{{"rangeStart", r.Start, &p.first}, {"rangeEnd", r.End, &p.last}} {
		switch {
		case !end.given.IsValid():
		case !r.Subnet.Contains(end.given):
			return wrong(end.field, end.given.String(), "is not in subnet "+r.Subnet.String())
		case special(r.Subnet, end.given):
			return wrong(end.field, end.given.String(), "is the network or broadcast address of "+r.Subnet.String())
		default:
			*end.to = end.given
		}
	}
	if p.first.Compare(p.last) > 0 {
		return wrong("rangeEnd", p.last.String(), "comes before rangeStart "+p.first.String())
	}
	if r.ReserveFirst < 0 || r.ReserveLast < 0 {
		return wrong("reserveFirst", strconv.Itoa(min(r.ReserveFirst, r.ReserveLast)), "is negative")
	}
	for i, text := range r.Exclude {
		barred, err := prefixOf(text)
		field := "exclude[" + strconv.Itoa(i) + "]"
		if err != nil {
			return wrong(field, strconv.Quote(text), "is neither an address nor a CIDR")
		}
		if !r.Subnet.Overlaps(barred) {
			return wrong(field, text, "is not in subnet "+r.Subnet.String())
		}
		p.barred = append(p.barred, barred)
	}
	return p.withGateway(r, key)
}

func (p part) withGateway(r Range, key string) (part, error) {
	wrong := func(reason string) (part, error) {
		return part{}, &ipam.ConfigError{Key: key + ".gateway", Value: strconv.Quote(r.Gateway), Reason: reason}
	}
	switch r.Gateway {
	case "", "first":
		p.gateway = usable(p.subnet)
	case "last":
		p.gateway = lastUsable(p.subnet)
	default:
		a, err := netip.ParseAddr(r.Gateway)
		if err != nil || a.Zone() != "" {
			return wrong(`want an address, "first" or "last"`)
		}
		if !p.subnet.Contains(a) || special(p.subnet, a) {
			return wrong("is no host's address in " + p.subnet.String())
		}
		p.gateway = a
	}
	limited := r.Start.IsValid() || r.End.IsValid()
	if limited && r.Gateway != "" && p.first.Compare(p.gateway) <= 0 && p.gateway.Compare(p.last) <= 0 {
		return wrong("lies in the range " + p.String())
	}
	return p, nil
}

func badSubnet(s netip.Prefix) string {
	switch {
	case !s.IsValid():
		return "no CIDR"
	case s.Addr().Is4In6():
		return "an IPv4 address in IPv6 form; write it as IPv4"
	case s != s.Masked():
		return "has host bits set; meant is " + s.Masked().String()
	case s.Addr().IsMulticast(), s.Addr().IsLoopback(), s.Addr().IsUnspecified() && s.Bits() == 0:
		return "not a range for unicast"
	case s.Addr().BitLen()-s.Bits() < 2:
		return "too small: no address is left beside the gateway"
	}
	return ""
}

// usable is the first address of a subnet that a host may have: in IPv6 the
// first is the routers' anycast address (RFC 4291, section 2.6.1).
func usable(s netip.Prefix) netip.Addr { return s.Addr().Next() }

func lastUsable(s netip.Prefix) netip.Addr {
	last := netipx.PrefixLastIP(s)
	if s.Addr().Is4() {
		return last.Prev()
	}
	return last
}

// special says that no host may have an address of a subnet.
func special(s netip.Prefix, a netip.Addr) bool {
	return a == s.Addr() || s.Addr().Is4() && a == netipx.PrefixLastIP(s)
}

func prefixOf(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}
