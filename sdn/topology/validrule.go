package topology

import (
	"regexp"
	"slices"

	"github.com/moatnet/moat/sdn"
)

const (
	minEtherType = 0x0600
	protoICMP    = 1
	maxRules     = 20_000 // of a chain: their order is one value, and etcd takes 1.5 MiB
	maxVLANTag   = 4095   // the tag has 12 bits
)

// maskForm is MidoNet's form of a MAC mask.
var maskForm = regexp.MustCompile(`^[0-9a-fA-F]{4}\.[0-9a-fA-F]{4}\.[0-9a-fA-F]{4}$`)

// validRule checks a rule and fills in the position and the fragment policy.
func validRule(r *sdn.Rule) error {
	if r.Condition.TraversedDevice != "" {
		return refuse(sdn.ErrUnsupported, "Rules with traversedDevice are not supported.")
	}
	var c checker
	own(&c, &r.ID)
	if c.require(r.Position >= 0, "position", "must be greater than or equal to 1") && r.Position == 0 {
		r.Position = 1
	}
	switch r.Type {
	case sdn.RuleAccept, sdn.RuleDrop, sdn.RuleReject, sdn.RuleReturn:
		r.JumpChain, r.JumpChainName, r.FlowAction, r.NATTargets = "", "", "", nil
	case sdn.RuleJump:
		given(&c, r.JumpChain, "jumpChainId")
		r.FlowAction, r.NATTargets = "", nil
	case sdn.RuleDNAT, sdn.RuleSNAT:
		c.flowAction(r.FlowAction)
		c.targets(r.NATTargets)
		r.JumpChain, r.JumpChainName = "", ""
	case sdn.RuleRevDNAT, sdn.RuleRevSNAT:
		c.flowAction(r.FlowAction)
		r.JumpChain, r.JumpChainName, r.NATTargets = "", "", nil
	default:
		c.require(false, "type", "is not a type of rule")
	}
	c.condition(&r.Condition)
	if err := c.err(); err != nil {
		return err
	}
	return fragmentPolicy(r)
}

func (c *checker) flowAction(a sdn.FlowAction) {
	known := []sdn.FlowAction{sdn.FlowAccept, sdn.FlowContinue, sdn.FlowReturn}
	c.require(slices.Contains(known, a), "flowAction", "must be accept, continue or return")
}

func (c *checker) targets(list []sdn.NATTarget) {
	c.require(len(list) > 0, "natTargets", "may not be empty")
	for _, t := range list {
		ok := c.require(ipv4(t.AddressFrom), "addressFrom", "is not a valid IPv4 address")
		ok = c.require(ipv4(t.AddressTo), "addressTo", "is not a valid IPv4 address") && ok
		if ok {
			c.require(!t.AddressTo.Less(t.AddressFrom), "addressTo", "must not be before addressFrom")
		}
		c.require(t.PortFrom <= t.PortTo, "portTo", "must not be less than portFrom")
	}
}

func (c *checker) condition(n *sdn.Condition) {
	for _, p := range n.InPorts {
		given(c, p, "inPorts")
	}
	for _, p := range n.OutPorts {
		given(c, p, "outPorts")
	}
	c.optional(n.DLType, minEtherType, 0xffff, "dlType")
	c.optional(n.TOS, 0, 255, "nwTos")
	c.optional(n.Proto, 0, 255, "nwProto")
	if n.DLSrc != "" {
		c.mac(&n.DLSrc, "dlSrc")
	}
	if n.DLDst != "" {
		c.mac(&n.DLDst, "dlDst")
	}
	c.require(n.DLSrcMask == "" || maskForm.MatchString(n.DLSrcMask), "dlSrcMask", "must have the form ffff.ffff.ffff")
	c.require(n.DLDstMask == "" || maskForm.MatchString(n.DLDstMask), "dlDstMask", "must have the form ffff.ffff.ffff")
	if n.Src.IsValid() {
		c.network(n.Src, "nwSrcAddress")
	}
	if n.Dst.IsValid() {
		c.network(n.Dst, "nwDstAddress")
	}
	if n.ICMPDataSrc.IsValid() {
		c.network(n.ICMPDataSrc, "icmpDataSrcIpAddress")
	}
	if n.ICMPDataDst.IsValid() {
		c.network(n.ICMPDataDst, "icmpDataDstIpAddress")
	}
	c.optional(n.VLAN, 0, maxVLANTag, "vlan")
	icmp := n.Proto != nil && *n.Proto == protoICMP
	c.ports(n.TPSrc, icmp, "tpSrc")
	c.ports(n.TPDst, icmp, "tpDst")
}

func (c *checker) optional(v *int, low, high int, property string) {
	if v != nil {
		c.between(*v, low, high, property)
	}
}

// ports checks a range of L4 ports; of ICMP types and codes 0 is one.
func (c *checker) ports(r *sdn.PortRange, icmp bool, property string) {
	if r == nil {
		return
	}
	c.require(r.Start > 0 || icmp, property, "must be between 1 and 65535")
	c.require(r.Start <= r.End, property, "start must not be after end")
}

// fragmentPolicy applies the API's section 3.5: a policy that can not hold is
// refused, one that is not given follows from the type.
func fragmentPolicy(r *sdn.Rule) error {
	n := &r.Condition
	l4 := n.TPSrc != nil || n.TPDst != nil
	nat := r.Type == sdn.RuleDNAT || r.Type == sdn.RuleSNAT
	strict := nat && (l4 || !floating(r.NATTargets))
	switch n.Fragment {
	case "":
		switch {
		case strict:
			n.Fragment = sdn.FragmentUnfragmented
		case l4:
			n.Fragment = sdn.FragmentHeader
		default:
			n.Fragment = sdn.FragmentAny
		}
		return nil
	case sdn.FragmentUnfragmented:
		return nil
	case sdn.FragmentHeader, sdn.FragmentAny, sdn.FragmentNonHeader:
	default:
		return refuse(sdn.ErrInvalid, "fragmentPolicy must be any, nonheader, header or unfragmented.")
	}
	if strict {
		return refuse(sdn.ErrInvalid, "fragmentPolicy must be unfragmented for this kind of translation.")
	}
	if l4 && n.Fragment != sdn.FragmentHeader {
		return refuse(sdn.ErrInvalid, "fragmentPolicy %s can not go with tpSrc or tpDst.", n.Fragment)
	}
	return nil
}

// floating is a single address for a single address, ports untouched.
func floating(list []sdn.NATTarget) bool {
	return len(list) == 1 && list[0].AddressFrom == list[0].AddressTo && list[0].PortFrom == 0 && list[0].PortTo == 0
}

// cloneRule copies a rule with all that it points to.
func cloneRule(r sdn.Rule) sdn.Rule {
	r.NATTargets = slices.Clone(r.NATTargets)
	n := &r.Condition
	n.InPorts, n.OutPorts = slices.Clone(n.InPorts), slices.Clone(n.OutPorts)
	n.DLType, n.TOS, n.Proto, n.VLAN = clonePointer(n.DLType), clonePointer(n.TOS), clonePointer(n.Proto), clonePointer(n.VLAN)
	n.TPSrc, n.TPDst = clonePointer(n.TPSrc), clonePointer(n.TPDst)
	return r
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
