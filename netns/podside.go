package netns

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

const ifaNoDAD = 0x02 // IFA_F_NODAD: IPAM has already made sure that no one else has the address

// podSteps set up the pod's end; they are sent as one datagram.
func podSteps(v Veth, made Made) []step {
	up := step{"set " + v.PodName + " up", setUp(made.PodIndex).attr(unix.IFLA_ADDRESS, made.PodMAC).attr(unix.IFLA_IFALIAS, []byte(v.HostAlias)), nil}
	return append([]step{up}, addressSteps(v, made.PodIndex)...)
}

// addressSteps give the pod's end its addresses and routes.
func addressSteps(v Veth, index int) (steps []step) {
	for _, p := range v.Addresses {
		steps = append(steps, step{"add address " + p.String(), newAddress(p, index), nil})
	}
	for _, dst := range destinations(v) {
		steps = append(steps, step{"add route to " + dst.String(), newRoute(v, dst, index), ErrRouteExists})
	}
	return steps
}

func setAlias(index int, alias string) *request {
	return newRequest(unix.RTM_SETLINK, 0, unix.IfInfomsg{Index: int32(index)}).
		attr(unix.IFLA_IFALIAS, []byte(alias))
}

func setUp(index int) *request {
	return newRequest(unix.RTM_SETLINK, 0,
		unix.IfInfomsg{Index: int32(index), Flags: unix.IFF_UP, Change: unix.IFF_UP})
}

func family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func newAddress(p netip.Prefix, index int) *request {
	header := unix.IfAddrmsg{Family: family(p.Addr()), Prefixlen: uint8(p.Bits()), Index: uint32(index)}
	if p.Addr().Is6() {
		header.Flags = ifaNoDAD
	}
	r := newRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, header).
		attr(unix.IFA_LOCAL, p.Addr().AsSlice()).
		attr(unix.IFA_ADDRESS, p.Addr().AsSlice())
	if last, ok := broadcast(p); ok {
		r.attr(unix.IFA_BROADCAST, last.AsSlice())
	}
	return r
}

// broadcast is the last address of an IPv4 subnet that has one.
func broadcast(p netip.Prefix) (netip.Addr, bool) {
	if !p.Addr().Is4() || p.Bits() > 30 {
		return netip.Addr{}, false
	}
	a := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		a[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(a), true
}

// destinations are the default route and the further ones, each once.
func destinations(v Veth) []netip.Prefix {
	if !v.Gateway.IsValid() {
		return nil
	}
	all := netip.PrefixFrom(v.Gateway, 0).Masked()
	seen := map[netip.Prefix]bool{all: true}
	dsts := []netip.Prefix{all}
	for _, r := range v.Routes {
		if r = r.Masked(); !seen[r] {
			seen[r] = true
			dsts = append(dsts, r)
		}
	}
	return dsts
}

// newRoute is the route to dst by way of the gateway. A gateway outside the
// pod's subnets (a /32 address) is taken to be on the link.
func newRoute(v Veth, dst netip.Prefix, index int) *request {
	header := unix.RtMsg{
		Family: family(dst.Addr()), Dst_len: uint8(dst.Bits()), Table: unix.RT_TABLE_MAIN,
		Protocol: unix.RTPROT_BOOT, Scope: unix.RT_SCOPE_UNIVERSE, Type: unix.RTN_UNICAST,
	}
	if !onSubnet(v.Addresses, v.Gateway) {
		header.Flags = unix.RTNH_F_ONLINK
	}
	r := newRequest(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, header).
		attr(unix.RTA_GATEWAY, v.Gateway.AsSlice()).
		number(unix.RTA_OIF, uint32(index))
	if dst.Bits() > 0 {
		r.attr(unix.RTA_DST, dst.Addr().AsSlice())
	}
	return r
}

func onSubnet(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
