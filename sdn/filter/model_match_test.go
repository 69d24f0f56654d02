package filter_test

import (
	"slices"

	"github.com/moatnet/moat/sdn"
)

func (w *walk) matches(r sdn.Rule) bool {
	c := r.Condition
	nat := r.Type == sdn.RuleDNAT || r.Type == sdn.RuleSNAT
	if c.Fragment == sdn.FragmentUnfragmented && w.fragmented && !nat {
		return false
	}
	return w.fields(c) != c.Invert
}

func (w *walk) fields(c sdn.Condition) bool {
	if c.MatchReturnFlow && !w.isReturn || c.MatchForwardFlow && w.isReturn {
		return false
	}
	in := func(list []sdn.PortID, p sdn.PortID) bool { return p != "" && slices.Contains(list, p) }
	if len(c.InPorts) > 0 && in(c.InPorts, w.in) == c.InvInPorts {
		return false
	}
	if len(c.OutPorts) > 0 && in(c.OutPorts, w.out) == c.InvOutPorts {
		return false
	}
	if c.Src.IsValid() && c.Src.Contains(w.p.src) == c.InvSrc || c.Dst.IsValid() && c.Dst.Contains(w.p.dst) == c.InvDst {
		return false
	}
	if c.Proto != nil && (int(w.p.proto) == *c.Proto) == c.InvProto || c.TOS != nil && (int(w.p.tos) == *c.TOS) == c.InvTOS {
		return false
	}
	src, dst := int(w.p.sport), int(w.p.dport)
	switch w.p.proto {
	case icmp:
		src, dst = int(w.p.icmpType), int(w.p.icmpCode)
	case gre:
		src, dst = -1, -1
	}
	within := func(r *sdn.PortRange, n int) bool { return n >= int(r.Start) && n <= int(r.End) }
	return (c.TPSrc == nil || within(c.TPSrc, src) != c.InvTPSrc) && (c.TPDst == nil || within(c.TPDst, dst) != c.InvTPDst)
}
