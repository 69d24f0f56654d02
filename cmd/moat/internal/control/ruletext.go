package control

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// RuleText is a rule in one line, in the words of the REST API.
func RuleText(r sdn.Rule) string {
	parts := append([]string{string(r.Type)}, conditions(r.Condition)...)
	for _, t := range r.NATTargets {
		parts = append(parts, fmt.Sprintf("to %s-%s:%d-%d", t.AddressFrom, t.AddressTo, t.PortFrom, t.PortTo))
	}
	if r.JumpChain != "" {
		parts = append(parts, "chain "+string(r.JumpChain))
	}
	if r.FlowAction != "" {
		parts = append(parts, "then "+string(r.FlowAction))
	}
	return strings.Join(parts, " ")
}

// conditions says everything that narrows what a rule matches: a reader must not
// take it for broader than it is.
func conditions(c sdn.Condition) (parts []string) {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"return-flow", c.MatchReturnFlow},
		{"forward-flow", c.MatchForwardFlow},
		{"destination-rewritten", c.DstRewritten},
		{"no-vlan", c.NoVLAN},
	} {
		if f.set {
			parts = append(parts, f.name)
		}
	}
	for _, f := range []struct {
		name, value string
		inverted    bool
	}{
		{"ethertype", number("%#04x", c.DLType), c.InvDLType},
		{"smac", withMask(c.DLSrc, c.DLSrcMask), c.InvDLSrc},
		{"dmac", withMask(c.DLDst, c.DLDstMask), c.InvDLDst},
		{"vlan", number("%d", c.VLAN), false},
		{"src", prefix(c.Src), c.InvSrc},
		{"dst", prefix(c.Dst), c.InvDst},
		{"src-group", string(c.SrcGroup), c.InvSrcGroup},
		{"dst-group", string(c.DstGroup), c.InvDstGroup},
		{"tos", number("%d", c.TOS), c.InvTOS},
		{"proto", number("%d", c.Proto), c.InvProto},
		{"sport", ports(c.TPSrc), c.InvTPSrc},
		{"dport", ports(c.TPDst), c.InvTPDst},
		{"quoted-src", prefix(c.ICMPDataSrc), c.InvICMPDataSrc},
		{"quoted-dst", prefix(c.ICMPDataDst), c.InvICMPDataDst},
		{"fragment", strings.TrimPrefix(string(c.Fragment), string(sdn.FragmentAny)), false},
		{"in", portNames(c.InPorts), c.InvInPorts},
		{"out", portNames(c.OutPorts), c.InvOutPorts},
		{"in-group", string(c.InPortGroup), c.InvInPortGroup},
		{"out-group", string(c.OutPortGroup), c.InvOutPortGroup},
		{"entry-group", string(c.PortGroup), c.InvPortGroup},
		{"traversed", string(c.TraversedDevice), c.InvTraversedDevice},
	} {
		switch {
		case f.value != "" && f.inverted:
			parts = append(parts, f.name+"!="+f.value)
		case f.value != "":
			parts = append(parts, f.name+"="+f.value)
		}
	}
	if c.Invert {
		parts = append(parts, "(inverted)")
	}
	return parts
}

func number(format string, n *int) string {
	if n == nil {
		return ""
	}
	return fmt.Sprintf(format, *n)
}

func withMask(mac, mask string) string {
	if mac == "" || mask == "" {
		return mac
	}
	return mac + "/" + mask
}

func prefix(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

func ports(r *sdn.PortRange) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("%d-%d", r.Start, r.End)
}

func portNames(ids []sdn.PortID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = sdn.InterfaceName(id)
	}
	return strings.Join(names, ",")
}
