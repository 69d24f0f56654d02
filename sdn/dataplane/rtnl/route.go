package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Route is an IPv4 route.
type Route struct {
	Table    int   // 0: the main table
	Type     uint8 // RTN_UNICAST, ...
	Protocol uint8
	Dst      netip.Prefix
	Metric   int
	Hops     []Hop
}

// Hop is one way out.
type Hop struct {
	Index int
	Via   netip.Addr // invalid: on the link itself
	Dead  bool       // its interface is down
}

// sizeofRtmsg is the size of struct rtmsg.
const sizeofRtmsg = unix.SizeofRtMsg

// Routes lists the routes of the main table.
func (c *Conn) Routes() ([]Route, error) { return c.routes(unix.RT_TABLE_MAIN) }

// AllRoutes lists the routes of all tables.
func (c *Conn) AllRoutes() ([]Route, error) { return c.routes(unix.RT_TABLE_UNSPEC) }

func (c *Conn) routes(table byte) ([]Route, error) {
	h := make([]byte, sizeofRtmsg)
	h[0], h[4] = unix.AF_INET, table
	msgs, err := c.dump(unix.RTM_GETROUTE, h)
	if errors.Is(err, unix.ENOENT) { // the namespace has no main table yet
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	out := make([]Route, 0, len(msgs))
	for _, m := range msgs {
		r, err := parseRoute(m.Data)
		if err != nil {
			return nil, fmt.Errorf("list routes: %w", err)
		}
		out = append(out, r)
	}
	return out, nil
}

func parseRoute(data []byte) (Route, error) {
	if len(data) < sizeofRtmsg {
		return Route{}, errors.New("route message is too short")
	}
	r := Route{Table: int(data[4]), Type: data[7], Protocol: data[5], Dst: netip.PrefixFrom(netip.IPv4Unspecified(), int(data[1]))}
	ad, err := netlink.NewAttributeDecoder(data[sizeofRtmsg:])
	if err != nil {
		return Route{}, err
	}
	var one Hop
	for ad.Next() {
		switch ad.Type() {
		case unix.RTA_DST:
			a, _ := netip.AddrFromSlice(ad.Bytes())
			r.Dst = netip.PrefixFrom(a, int(data[1]))
		case unix.RTA_TABLE:
			r.Table = int(ad.Uint32())
		case unix.RTA_PRIORITY:
			r.Metric = int(ad.Uint32())
		case unix.RTA_OIF:
			one.Index = int(ad.Uint32())
		case unix.RTA_GATEWAY:
			one.Via, _ = netip.AddrFromSlice(ad.Bytes())
		case unix.RTA_MULTIPATH:
			if r.Hops, err = parseHops(ad.Bytes()); err != nil {
				return Route{}, err
			}
		}
	}
	if one.Index != 0 {
		one.Dead = binary.NativeEndian.Uint32(data[8:])&unix.RTNH_F_DEAD != 0
		r.Hops = []Hop{one}
	}
	if r.Table == unix.RT_TABLE_MAIN {
		r.Table = 0
	}
	return r, ad.Err()
}

func parseHops(b []byte) ([]Hop, error) {
	var out []Hop
	for len(b) >= unix.SizeofRtNexthop {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtNexthop || n > len(b) {
			return nil, errors.New("next hop is cut short")
		}
		h := Hop{Index: int(binary.NativeEndian.Uint32(b[4:])), Dead: b[2]&unix.RTNH_F_DEAD != 0}
		ad, err := netlink.NewAttributeDecoder(b[unix.SizeofRtNexthop:n])
		if err != nil {
			return nil, err
		}
		for ad.Next() {
			if ad.Type() == unix.RTA_GATEWAY {
				h.Via, _ = netip.AddrFromSlice(ad.Bytes())
			}
		}
		if err := ad.Err(); err != nil {
			return nil, err
		}
		out = append(out, h)
		b = b[min((n+3)&^3, len(b)):]
	}
	return out, nil
}

// ReplaceRoute makes a route, in place of one with the same table, destination
// and metric.
func ReplaceRoute(r Route) (Request, error) {
	q, err := routeRequest(r, unix.RTM_NEWROUTE)
	q.Text, q.flags = "add route "+r.Dst.String(), netlink.Create|netlink.Replace
	return q, err
}

// AddRoute makes a route; one with the same destination and metric is an error.
func AddRoute(r Route) (Request, error) {
	q, err := routeRequest(r, unix.RTM_NEWROUTE)
	q.Text, q.flags = "add route "+r.Dst.String(), netlink.Create|netlink.Excl
	return q, err
}

// DelRoute removes a route; one that is gone is no error.
func DelRoute(r Route) (Request, error) {
	q, err := routeRequest(Route{Table: r.Table, Type: r.Type, Protocol: r.Protocol, Dst: r.Dst, Metric: r.Metric}, unix.RTM_DELROUTE)
	q.Text, q.Gone = "delete route "+r.Dst.String(), true
	return q, err
}

func routeRequest(r Route, kind uint16) (Request, error) {
	h := make([]byte, sizeofRtmsg)
	h[0], h[1], h[4], h[5], h[6], h[7] = unix.AF_INET, byte(r.Dst.Bits()), unix.RT_TABLE_MAIN, r.Protocol, scope(r), r.Type
	if kind == unix.RTM_DELROUTE {
		h[6] = unix.RT_SCOPE_NOWHERE
	}
	ae := netlink.NewAttributeEncoder()
	if r.Table != 0 {
		h[4] = unix.RT_TABLE_UNSPEC // the attribute has room for its number
		ae.Uint32(unix.RTA_TABLE, uint32(r.Table))
	}
	if r.Dst.Bits() > 0 {
		ae.Bytes(unix.RTA_DST, r.Dst.Masked().Addr().AsSlice())
	}
	ae.Uint32(unix.RTA_PRIORITY, uint32(r.Metric))
	switch {
	case len(r.Hops) == 1:
		ae.Uint32(unix.RTA_OIF, uint32(r.Hops[0].Index))
		if r.Hops[0].Via.IsValid() {
			ae.Bytes(unix.RTA_GATEWAY, r.Hops[0].Via.AsSlice())
			binary.NativeEndian.PutUint32(h[8:], unix.RTNH_F_ONLINK)
		}
	case len(r.Hops) > 1:
		hops, err := encodeHops(r.Hops)
		if err != nil {
			return Request{}, fmt.Errorf("route %s: %w", r.Dst, err)
		}
		ae.Bytes(unix.RTA_MULTIPATH, hops)
	}
	attrs, err := ae.Encode()
	if err != nil {
		return Request{}, fmt.Errorf("route %s: %w", r.Dst, err)
	}
	return Request{kind: kind, data: append(h, attrs...)}, nil
}

func scope(r Route) byte {
	switch {
	case r.Type == unix.RTN_LOCAL:
		return unix.RT_SCOPE_HOST
	case r.Type == unix.RTN_UNICAST && len(r.Hops) == 1 && !r.Hops[0].Via.IsValid():
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}

func encodeHops(hops []Hop) ([]byte, error) {
	var out []byte
	for _, h := range hops {
		ae := netlink.NewAttributeEncoder()
		b := make([]byte, unix.SizeofRtNexthop)
		if h.Via.IsValid() {
			ae.Bytes(unix.RTA_GATEWAY, h.Via.AsSlice())
			b[2] = unix.RTNH_F_ONLINK
		}
		attrs, err := ae.Encode()
		if err != nil {
			return nil, err
		}
		b = append(b, attrs...)
		binary.NativeEndian.PutUint16(b, uint16(len(b)))
		binary.NativeEndian.PutUint32(b[4:], uint32(h.Index))
		out = append(out, b...)
	}
	return out, nil
}
