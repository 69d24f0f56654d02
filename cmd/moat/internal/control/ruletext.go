package control

import (
	"fmt"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// RuleText is a rule in one line, in the words of the REST API.
func RuleText(r sdn.Rule) string {
	parts := []string{string(r.Type)}
	not := map[bool]string{true: "!=", false: "="}
	c := r.Condition
	if c.MatchReturnFlow {
		parts = append(parts, "return-flow")
	}
	if c.MatchForwardFlow {
		parts = append(parts, "forward-flow")
	}
	if c.Src.IsValid() {
		parts = append(parts, "src"+not[c.InvSrc]+c.Src.String())
	}
	if c.Dst.IsValid() {
		parts = append(parts, "dst"+not[c.InvDst]+c.Dst.String())
	}
	if c.Proto != nil {
		parts = append(parts, fmt.Sprintf("proto%s%d", not[c.InvProto], *c.Proto))
	}
	if c.TPSrc != nil {
		parts = append(parts, fmt.Sprintf("sport%s%d-%d", not[c.InvTPSrc], c.TPSrc.Start, c.TPSrc.End))
	}
	if c.TPDst != nil {
		parts = append(parts, fmt.Sprintf("dport%s%d-%d", not[c.InvTPDst], c.TPDst.Start, c.TPDst.End))
	}
	if len(c.InPorts) > 0 {
		parts = append(parts, "in"+not[c.InvInPorts]+portNames(c.InPorts))
	}
	if len(c.OutPorts) > 0 {
		parts = append(parts, "out"+not[c.InvOutPorts]+portNames(c.OutPorts))
	}
	if c.Invert {
		parts = append(parts, "(inverted)")
	}
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

func portNames(ids []sdn.PortID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = sdn.InterfaceName(id)
	}
	return strings.Join(names, ",")
}
