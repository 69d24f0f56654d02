package filter_test

import (
	"net/netip"
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
	if !w.groups(c) || !w.tags(c) || !w.history(c) {
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

// groups tells the conditions on groups. No member of one that is not there
// sent anything.
func (w *walk) groups(c sdn.Condition) bool {
	top := w.m.top
	ports := func(g sdn.PortGroupID, p sdn.PortID, inv bool) bool {
		return g == "" || (p != "" && slices.Contains(top.portGroups[g], p)) != inv
	}
	addrs := func(g sdn.IPAddrGroupID, a netip.Addr, inv bool) bool {
		return g == "" || slices.Contains(top.addrGroups[g], a) != inv
	}
	return ports(c.InPortGroup, w.in, c.InvInPortGroup) && ports(c.OutPortGroup, w.out, c.InvOutPortGroup) && ports(c.PortGroup, w.entry, c.InvPortGroup) &&
		addrs(c.SrcGroup, w.p.src, c.InvSrcGroup) && addrs(c.DstGroup, w.p.dst, c.InvDstGroup)
}

// tags tells the conditions on VLANs: no packet of the model is in one.
func (w *walk) tags(c sdn.Condition) bool { return c.VLAN == nil || *c.VLAN == 0 }

// history tells the conditions on what became of the packet earlier, and on the
// packet that it quotes.
func (w *walk) history(c sdn.Condition) bool {
	rewritten := w.came.dst.IsValid() && (w.p.dst != w.came.dst || w.p.dport != w.came.dport)
	if c.DstRewritten && !rewritten {
		return false
	}
	var quoted packet
	if w.p.quotes() {
		quoted, _ = parse([]byte(w.p.payload))
	}
	return (!c.ICMPDataSrc.IsValid() || c.ICMPDataSrc.Contains(quoted.src) != c.InvICMPDataSrc) &&
		(!c.ICMPDataDst.IsValid() || c.ICMPDataDst.Contains(quoted.dst) != c.InvICMPDataDst)
}
