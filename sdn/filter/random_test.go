package filter_test

import (
	"math/rand/v2"
	"net/netip"

	"github.com/moatnet/moat/sdn"
)

func randomTopology(rnd *rand.Rand) *topology {
	rules := func(chain int, side sdn.RuleType) []sdn.Rule {
		var out []sdn.Rule
		for range 1 + rnd.IntN(4) {
			out = append(out, randomRule(rnd, chain, side))
		}
		return out
	}
	return labTopology(rules(1, sdn.RuleDNAT), rules(2, sdn.RuleSNAT), func(t *topology) {
		for _, n := range []int{3, 5, 7} {
			t.chain(n, rules(n, sdn.RuleDNAT)...)
			t.chain(n+1, rules(n+1, sdn.RuleSNAT)...)
		}
		groups(t)
		withRouter(func(r *sdn.Router) {
			if rnd.IntN(3) == 0 {
				r.LocalRedirect = t.chain(21, plainRule(rnd), plainRule(rnd))
			}
			if rnd.IntN(3) == 0 {
				r.Forward = t.chain(22, plainRule(rnd), plainRule(rnd))
			}
		})(t)
	})
}

// groups adds those that random conditions name; there is no number 3.
func groups(t *topology) {
	t.addrGroups[addrGroupID(1)] = []netip.Addr{addr("10.1.0.5"), addr("10.2.0.9"), addr("fd00::5")}
	t.addrGroups[addrGroupID(2)] = []netip.Addr{addr("10.2.0.100"), addr("10.3.0.7"), addr("10.1.0.12")}
	t.portGroups[portGroupID(1)] = []sdn.PortID{pods, third}
	t.portGroups[portGroupID(2)] = []sdn.PortID{uplink}
}

func plainRule(rnd *rand.Rand) sdn.Rule {
	return when(randomCondition(rnd), []sdn.Rule{accept(), drop(), ret(), reject()}[rnd.IntN(4)])
}

func randomRule(rnd *rand.Rand, chain int, side sdn.RuleType) sdn.Rule {
	c := randomCondition(rnd)
	action := []sdn.FlowAction{sdn.FlowAccept, sdn.FlowContinue, sdn.FlowReturn}[rnd.IntN(3)]
	switch rnd.IntN(9) {
	case 0:
		return when(c, accept())
	case 1:
		return when(c, drop())
	case 2:
		return when(c, ret())
	case 3, 4, 5:
		// Odd chains are inbound ones; jumps may lead back up.
		return when(c, jump(2*rnd.IntN(5)+(chain+1)%2+1))
	case 6:
		return when(c, reject())
	case 7:
		if side == sdn.RuleDNAT {
			return when(c, rev(sdn.RuleRevSNAT, action))
		}
		return when(c, rev(sdn.RuleRevDNAT, action))
	}
	port := uint16(rnd.IntN(2)) * 8080
	if side == sdn.RuleDNAT {
		a := []string{"10.1.0.5", "10.3.0.7"}[rnd.IntN(2)]
		return when(c, nat(sdn.RuleDNAT, action, target(a, a, port, port)))
	}
	if port != 0 {
		return when(c, nat(sdn.RuleSNAT, action, target("10.2.0.100", "10.2.0.100", 1024, 65535)))
	}
	return when(c, nat(sdn.RuleSNAT, action, target("10.2.0.101", "10.2.0.101", 0, 0)))
}

func randomCondition(rnd *rand.Rand) sdn.Condition {
	var c sdn.Condition
	flip := func() bool { return rnd.IntN(4) == 0 }
	c.Invert = flip()
	for range rnd.IntN(3) {
		switch rnd.IntN(12) {
		case 0:
			c.MatchReturnFlow = true
		case 1:
			c.MatchForwardFlow = true
		case 2:
			c.InPorts, c.InvInPorts = [][]sdn.PortID{{uplink}, {pods}, {pods, third}}[rnd.IntN(3)], flip()
		case 3:
			c.OutPorts, c.InvOutPorts = [][]sdn.PortID{{uplink}, {pods}, {uplink, third}}[rnd.IntN(3)], flip()
		case 4:
			c.Src, c.InvSrc = prefix([]string{"10.1.0.0/16", "10.1.0.5/32", "10.2.0.0/17"}[rnd.IntN(3)]), flip()
		case 5:
			c.Dst, c.InvDst = prefix([]string{"10.2.0.9/32", "10.2.0.100/32", "10.1.0.0/16"}[rnd.IntN(3)]), flip()
		case 6:
			c.Proto, c.InvProto = number([]int{udp, tcp, icmp}[rnd.IntN(3)]), flip()
		case 7:
			c.TPDst, c.InvTPDst = &sdn.PortRange{Start: uint16(rnd.IntN(60)), End: 80}, flip()
		case 8:
			c.TOS, c.InvTOS = number(0x10), flip()
		case 9:
			randomGroup(rnd, &c, flip())
		case 10:
			c.DstRewritten = true
		case 11:
			randomField(rnd, &c, flip())
		}
	}
	return c
}

func randomGroup(rnd *rand.Rand, c *sdn.Condition, inv bool) {
	ports, addrs := portGroupID(1+rnd.IntN(3)), addrGroupID(1+rnd.IntN(3))
	switch rnd.IntN(5) {
	case 0:
		c.InPortGroup, c.InvInPortGroup = ports, inv
	case 1:
		c.OutPortGroup, c.InvOutPortGroup = ports, inv
	case 2:
		c.PortGroup, c.InvPortGroup = ports, inv
	case 3:
		c.SrcGroup, c.InvSrcGroup = addrs, inv
	case 4:
		c.DstGroup, c.InvDstGroup = addrs, inv
	}
}

func randomField(rnd *rand.Rand, c *sdn.Condition, inv bool) {
	switch rnd.IntN(4) {
	case 0:
		c.ICMPDataSrc, c.InvICMPDataSrc = prefix("10.1.0.0/16"), inv
	case 1:
		c.ICMPDataDst, c.InvICMPDataDst = prefix("10.9.0.1/32"), inv
	case 2:
		c.NoVLAN = true
	case 3:
		c.VLAN = number(5 * rnd.IntN(2))
	}
}
