package wire

import (
	"fmt"
	"net/netip"

	"github.com/moatnet/moat/sdn"
)

// Rule is resource Rule-v2. RuleJump and RuleNAT are present in what the
// server sends for rules of these types only.
type Rule struct {
	URI       Text `json:"uri"`
	ID        Text `json:"id"`
	ChainID   Text `json:"chainId"`
	Type      Text `json:"type"`
	Position  Int  `json:"position"`
	MeterName Text `json:"meterName"`
	Condition

	*RuleJump
	*RuleNAT
}

// RuleJump holds the properties of a jump.
type RuleJump struct {
	JumpChainID   Text `json:"jumpChainId"`
	JumpChainName Text `json:"jumpChainName"`
}

// RuleNAT holds the properties of the four NAT rules.
type RuleNAT struct {
	FlowAction Text        `json:"flowAction"`
	NATTargets []NATTarget `json:"natTargets"`
}

// NATTarget is where a NAT rule translates to.
type NATTarget struct {
	AddressFrom Text `json:"addressFrom"`
	AddressTo   Text `json:"addressTo"`
	PortFrom    Int  `json:"portFrom"`
	PortTo      Int  `json:"portTo"`
}

// The types of rule that MidoNet has and no noun stands for.
const (
	ruleTrace       = "trace"
	ruleL2Transform = "l2_transform"
)

// NewRule is the request body for a rule: no links.
func NewRule(r sdn.Rule) Rule {
	d := Rule{
		ID:        Text(r.ID),
		ChainID:   Text(r.Chain),
		Type:      Text(r.Type),
		Position:  Int(r.Position),
		Condition: newCondition(r.Condition),
	}
	switch r.Type {
	case sdn.RuleJump:
		d.RuleJump = &RuleJump{JumpChainID: Text(r.JumpChain), JumpChainName: Text(r.JumpChainName)}
	case sdn.RuleDNAT, sdn.RuleSNAT, sdn.RuleRevDNAT, sdn.RuleRevSNAT:
		d.RuleNAT = &RuleNAT{FlowAction: Text(r.FlowAction), NATTargets: newTargets(r.NATTargets)}
	}
	return d
}

func newTargets(ts []sdn.NATTarget) []NATTarget {
	out := make([]NATTarget, len(ts))
	for i, t := range ts {
		out[i] = NATTarget{
			AddressFrom: addrText(t.AddressFrom), AddressTo: addrText(t.AddressTo),
			PortFrom: Int(t.PortFrom), PortTo: Int(t.PortTo),
		}
	}
	return out
}

func addrText(a netip.Addr) Text {
	if !a.IsValid() {
		return ""
	}
	return Text(a.String())
}

// Rule is the representation of a rule, with its links.
func (u URIs) Rule(r sdn.Rule) Rule {
	d := NewRule(r)
	d.URI = u.text(Rules, string(r.ID))
	return d
}

// Noun reads a representation.
func (d Rule) Noun() (sdn.Rule, error) {
	var c check
	r := sdn.Rule{
		ID:        parseID[sdn.RuleID](&c, "id", d.ID),
		Chain:     parseID[sdn.ChainID](&c, "chainId", d.ChainID),
		Type:      sdn.RuleType(d.Type),
		Position:  int(d.Position),
		Condition: d.Condition.noun(&c),
	}
	switch r.Type {
	case sdn.RuleAccept, sdn.RuleDrop, sdn.RuleReject, sdn.RuleReturn, ruleTrace, ruleL2Transform:
	case sdn.RuleJump:
		if d.RuleJump == nil {
			d.RuleJump = &RuleJump{}
		}
		c.need("jumpChainId", d.JumpChainID)
		r.JumpChain = parseID[sdn.ChainID](&c, "jumpChainId", d.JumpChainID)
		r.JumpChainName = string(d.JumpChainName)
	case sdn.RuleDNAT, sdn.RuleSNAT, sdn.RuleRevDNAT, sdn.RuleRevSNAT:
		if d.RuleNAT == nil {
			d.RuleNAT = &RuleNAT{}
		}
		r.FlowAction = c.flowAction(d.FlowAction)
		if r.Type == sdn.RuleDNAT || r.Type == sdn.RuleSNAT {
			r.NATTargets = c.targets(d.NATTargets)
		}
	default:
		return sdn.Rule{}, fmt.Errorf("%q is no type of rule: %w", clip(string(d.Type)), sdn.ErrInvalid)
	}
	return r, c.err()
}

func (c *check) flowAction(v Text) sdn.FlowAction {
	switch a := sdn.FlowAction(v); a {
	case sdn.FlowAccept, sdn.FlowContinue, sdn.FlowReturn:
		return a
	}
	c.fail("flowAction", "%q is not accept, continue or return", clip(string(v)))
	return ""
}

func (c *check) targets(ts []NATTarget) []sdn.NATTarget {
	if len(ts) == 0 {
		c.fail("natTargets", "needs at least one")
	}
	out := make([]sdn.NATTarget, len(ts))
	for i, t := range ts {
		c.need("natTargets", t.AddressFrom)
		c.need("natTargets", t.AddressTo)
		out[i] = sdn.NATTarget{
			AddressFrom: c.ipv4("natTargets", t.AddressFrom),
			AddressTo:   c.ipv4("natTargets", t.AddressTo),
			PortFrom:    uint16(c.within("natTargets", t.PortFrom, 0, 65535)),
			PortTo:      uint16(c.within("natTargets", t.PortTo, 0, 65535)),
		}
		if out[i].AddressTo.Less(out[i].AddressFrom) || out[i].PortTo < out[i].PortFrom {
			c.fail("natTargets", "ends before it starts")
		}
	}
	return out
}

// ParseRule reads the body of a POST. Position null or 0 is the head. A type
// that no noun stands for is refused with an error that wraps
// sdn.ErrUnsupported; conditions that the engine cannot realise are the
// topology's to refuse.
func ParseRule(body []byte) (sdn.Rule, error) {
	var d Rule
	if err := Decode(body, &d); err != nil {
		return sdn.Rule{}, err
	}
	r, err := d.Noun()
	if err != nil {
		return sdn.Rule{}, err
	}
	if r.Type == ruleTrace || r.Type == ruleL2Transform {
		return sdn.Rule{}, fmt.Errorf("rule: type %q is %w", r.Type, sdn.ErrUnsupported)
	}
	if r.Position < 0 {
		return sdn.Rule{}, &sdn.ValidationError{Violations: []sdn.Violation{
			{Property: "position", Message: "must be greater than or equal to 1"}}}
	}
	r.Position = max(r.Position, 1)
	return r, nil
}
