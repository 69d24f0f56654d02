package filter

import (
	"net"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

const (
	multicastBit nft.Value = "\x01\x00\x00\x00\x00\x00"
	vlanBits     nft.Value = "\x0f\xff" // of the tag: the rest is priority
)

// vlan adds the conditions on the VLAN tag and reports whether the others are
// about what is inside a tagged frame. Routers take no tagged frames.
func vlan(c sdn.Condition, p place, add func(literal, bool)) bool {
	tagged := literal{yes: never(), no: always()}
	if p.bridge {
		tagged = equal(nft.EtherType, nft.Uint16(etherVLAN))
	}
	if c.NoVLAN {
		add(tagged, true)
	}
	if c.VLAN == nil || *c.VLAN == 0 {
		return false
	}
	add(both(tagged, masked(nft.VLANTag, vlanBits, nft.Uint16(uint16(*c.VLAN)))), false)
	return p.bridge
}

func linkLayer(r sdn.Rule, p place, add func(literal, bool)) error {
	c := r.Condition
	if c.DLType != nil {
		l := literal{yes: constant(*c.DLType == etherIPv4), no: constant(*c.DLType != etherIPv4)}
		if p.bridge {
			l = p.ether(uint16(*c.DLType))
		}
		add(l, c.InvDLType)
	}
	for _, m := range []struct {
		name, mac, mask string
		field           nft.Field
		inv             bool
	}{{"dlSrc", c.DLSrc, c.DLSrcMask, nft.EtherSrc, c.InvDLSrc}, {"dlDst", c.DLDst, c.DLDstMask, nft.EtherDst, c.InvDLDst}} {
		if m.mac == "" {
			continue
		}
		if !p.hasEther {
			return unsupported(r, m.name, "a router's outbound filter has no Ethernet header to look at")
		}
		l, ok := hardware(m.field, m.mac, m.mask)
		if !ok {
			return unsupported(r, m.name, "this is no MAC address and mask")
		}
		add(l, m.inv)
	}
	return nil
}

func hardware(f nft.Field, mac, mask string) (literal, bool) {
	a, err := net.ParseMAC(mac)
	if err != nil || len(a) != 6 {
		return literal{}, false
	}
	if mask == "" {
		return equal(f, nft.MAC(a)), true
	}
	m, err := net.ParseMAC(mask)
	if err != nil || len(m) != 6 {
		return literal{}, false
	}
	for i := range a {
		a[i] &= m[i]
	}
	return masked(f, nft.MAC(m), nft.MAC(a)), true
}
