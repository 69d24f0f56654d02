package filter

import (
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// fragments is the formula of the fragment policy. On a router the kernel has
// put fragments together before any rule sees them, so what a rule can ask is
// whether the datagram arrived whole.
func fragments(r sdn.Rule, p place) (formula, error) {
	c := r.Condition
	policy := c.Fragment
	nat := r.Type == sdn.RuleDNAT || r.Type == sdn.RuleSNAT
	if policy == "" {
		switch {
		case nat:
			policy = sdn.FragmentUnfragmented
		case c.TPSrc != nil || c.TPDst != nil:
			policy = sdn.FragmentHeader
		}
	}
	if p.bridge {
		p.tagged = c.VLAN != nil && *c.VLAN != 0
		return bridgeFragments(policy, p), nil
	}
	switch {
	case policy == sdn.FragmentNonHeader:
		return nil, unsupported(r, "fragmentPolicy", "a router sees datagrams put together, never a later fragment alone")
	case policy == sdn.FragmentUnfragmented && !nat:
		return masked(nft.Mark, nft.Uint32(markFragmented), nft.Uint32(0)).yes, nil
	}
	return always(), nil
}

// Bits of the IPv4 header's flags and fragment offset.
const (
	fragmentOffset uint16 = 0x1fff
	fragmentMore   uint16 = 0x2000
)

func bridgeFragments(policy sdn.FragmentPolicy, p place) formula {
	first := func(bits uint16) literal {
		later := one(nft.Match{Field: nft.IPFragment, Mask: nft.Uint16(bits), Value: nft.Uint16(0), Not: true})
		fragment := both(equal(nft.EtherType, nft.Uint16(etherIPv4)), later)
		if p.tagged {
			fragment = either(fragment, both(equal(nft.EtherType, nft.Uint16(etherVLAN)), p.ip(later)))
		}
		return fragment.inverted(true)
	}
	switch policy {
	case sdn.FragmentHeader:
		return first(fragmentOffset).yes
	case sdn.FragmentUnfragmented:
		return first(fragmentOffset | fragmentMore).yes
	case sdn.FragmentNonHeader:
		return first(fragmentOffset).no
	}
	return always()
}
