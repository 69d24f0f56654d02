package filter

import (
	"net/netip"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// network adds the conditions on the IP header.
func (d *device) network(r sdn.Rule, p place, add func(literal, bool)) error {
	c := r.Condition
	if c.Src.IsValid() {
		add(address(p, nft.IPSrc, nft.ARPSrcIP, c.Src), c.InvSrc)
	}
	if c.Dst.IsValid() {
		add(address(p, nft.IPDst, nft.ARPDstIP, c.Dst), c.InvDst)
	}
	if c.SrcGroup != "" {
		add(d.addressGroup(p, nft.IPSrc, nft.ARPSrcIP, nft.IP6Src, c.SrcGroup), c.InvSrcGroup)
	}
	if c.DstGroup != "" {
		add(d.addressGroup(p, nft.IPDst, nft.ARPDstIP, nft.IP6Dst, c.DstGroup), c.InvDstGroup)
	}
	if c.Proto != nil {
		if *c.Proto < 0 || *c.Proto > 255 {
			return unsupported(r, "nwProto", "no IP protocol has this number")
		}
		add(protocol(p, uint8(*c.Proto)), c.InvProto)
	}
	if c.TOS != nil {
		if *c.TOS < 0 || *c.TOS > 255 {
			return unsupported(r, "nwTos", "the field has 8 bits")
		}
		add(p.ip(equal(nft.IPTOS, nft.Uint8(uint8(*c.TOS)))), c.InvTOS)
	}
	return nil
}

// address matches an address of an IPv4 packet or, on a bridge, of an ARP one.
func address(p place, ip, arp nft.Field, prefix netip.Prefix) literal {
	if prefix.Bits() == 0 {
		return literal{yes: always(), no: never()}
	}
	if !p.bridge {
		return within32(ip, prefix)
	}
	return either(p.ip(within32(ip, prefix)), both(p.ether(etherARP), within32(arp, prefix)))
}

func within32(f nft.Field, prefix netip.Prefix) literal {
	if prefix.IsSingleIP() {
		return equal(f, nft.Addr(prefix.Addr()))
	}
	return masked(f, nft.PrefixMask(prefix), nft.Addr(prefix.Masked().Addr()))
}

// addressGroup matches the addresses of a group, which are elements of a set:
// one more changes no rule. A group that is gone is an empty set. Routers see
// IPv4 alone.
func (d *device) addressGroup(p place, ip, arp, ip6 nft.Field, g sdn.IPAddrGroupID) literal {
	v4, v6 := d.name("g-"+short(g), "address group "+string(g)), d.name("g6-"+short(g), "IPv6 address group "+string(g))
	if _, ok := d.table.Set(v4); !ok {
		d.addressSets(v4, v6, g)
	}
	if !p.bridge {
		return inSet(ip, v4)
	}
	return either(p.ip(inSet(ip, v4)), either(both(p.ether(etherARP), inSet(arp, v4)), both(p.ether(etherIPv6), inSet(ip6, v6))))
}

// addressSets makes the sets of a group's addresses; that of IPv6 on bridges.
func (d *device) addressSets(name4, name6 string, g sdn.IPAddrGroupID) {
	v4, v6 := nft.Set{Name: name4, Key: nft.TypeIPv4}, nft.Set{Name: name6, Key: nft.TypeIPv6}
	for _, a := range d.view.AddrsInGroup(g) {
		if a = a.Unmap().WithZone(""); a.Is4() {
			v4.Elements = append(v4.Elements, nft.Element{Key: nft.Addr(a)})
		} else {
			v6.Elements = append(v6.Elements, nft.Element{Key: nft.Addr(a)})
		}
	}
	d.addSet(v4)
	if d.table.Family == nft.Bridge {
		d.addSet(v6)
	}
}

// protocol matches the IP protocol or, on a bridge, the operation of ARP.
func protocol(p place, n uint8) literal {
	l := p.ip(equal(nft.IPProto, nft.Uint8(n)))
	if !p.bridge {
		return l
	}
	return either(l, both(p.ether(etherARP), equal(nft.ARPOperation, nft.Uint16(uint16(n)))))
}
