package filter

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// natRule is a NAT rule as it is met along one path.
type natRule struct {
	mark   uint32
	rule   sdn.Rule
	before place
	at     path // where the rule stands
	rest   path // where evaluation goes on behind the translation; last frame first
}

// target is what a forward NAT rule translates to.
func (n natRule) target() (sdn.NATTarget, bool) {
	if len(n.rule.NATTargets) == 0 {
		return sdn.NATTarget{}, false
	}
	return n.rule.NATTargets[0], true
}

// static reports whether a rule translates the address alone, of every protocol.
func static(r sdn.Rule) bool {
	return !slices.ContainsFunc(r.NATTargets, func(t sdn.NATTarget) bool { return t.PortFrom != 0 || t.PortTo != 0 })
}

// natRule translates a NAT rule: it marks the packet and ends the walk; the
// translation, and the rules behind it, come at later hooks (finishNAT).
func (d *device) natRule(p place, r sdn.Rule, at path) ([]nft.Rule, error) {
	reverse := r.Type == sdn.RuleRevDNAT || r.Type == sdn.RuleRevSNAT
	if err := d.checkNAT(p, r); err != nil {
		return nil, err
	}
	switch {
	case p.nat == natTranslated && reverse:
		return d.noRule(p, r) // nothing is left to reverse
	case p.nat == natTranslated:
		return d.when(p, r, append(d.applies(r), nft.Drop())...)
	}
	n := natRule{rule: r, before: p, at: at, rest: slices.Clone(at)}
	switch r.FlowAction {
	case sdn.FlowAccept:
		n.rest = nil
	case sdn.FlowReturn:
		n.rest = n.rest[:len(n.rest)-1]
	case sdn.FlowContinue:
	default:
		return nil, unsupported(r, "flowAction", fmt.Sprintf("%q is no flow action", r.FlowAction))
	}
	if err := d.checkRest(n); err != nil {
		return nil, err
	}
	n.mark = d.mark(fmt.Sprintf("%d/%s%s", p.nat, r.ID, n.rest.key()))
	if !slices.ContainsFunc(d.nat, func(o natRule) bool { return o.mark == n.mark }) {
		d.nat = append(d.nat, n)
	}
	var do []nft.Statement
	switch r.Type {
	case sdn.RuleRevSNAT:
		do = append(do, reply(), translated(nft.StatusSNAT))
	case sdn.RuleRevDNAT:
		do = append(do, reply(), translated(nft.StatusDNAT))
	case sdn.RuleDNAT:
		do = d.applies(r)
	}
	return d.when(p, r, append(do, nft.SetMark{Keep: markFlags, Value: n.mark}, nft.Accept())...)
}

// applies matches the packets that a forward NAT rule acts on: a dnat rule with
// ports leaves protocols without ports alone. An snat rule takes all, and what
// cannot be translated is lost.
func (d *device) applies(r sdn.Rule) []nft.Statement {
	if r.Type != sdn.RuleDNAT || static(r) {
		return nil
	}
	d.addSet(nft.Set{Name: "translatable", Key: nft.TypeProto, Elements: []nft.Element{
		{Key: nft.Uint8(protoICMP)}, {Key: nft.Uint8(protoTCP)}, {Key: nft.Uint8(protoUDP)}}})
	return []nft.Statement{nft.Match{Field: nft.IPProto, Set: "translatable"}}
}

func reply() nft.Match {
	return nft.Match{Field: nft.CTDirection, Value: nft.Uint8(nft.DirReply)}
}

func original() nft.Match {
	return nft.Match{Field: nft.CTDirection, Value: nft.Uint8(nft.DirOriginal)}
}

func translated(bit uint32) nft.Match {
	return nft.Match{Field: nft.CTStatus, Value: nft.Uint32(bit)}
}

func (d *device) checkNAT(p place, r sdn.Rule) error {
	dst := r.Type == sdn.RuleDNAT || r.Type == sdn.RuleRevSNAT
	switch {
	case p.nat == natNone:
		return unsupported(r, "type", "only a router's own filters translate")
	case dst && (p.nat == natSrc || p.name == outboundTranslated().name):
		return unsupported(r, "type", "the destination is translated in the inbound filter")
	case !dst && (p.nat == natDst || p.name == inboundTranslated().name):
		return unsupported(r, "type", "the source is translated in the outbound filter")
	}
	if r.Type != sdn.RuleDNAT && r.Type != sdn.RuleSNAT {
		return nil
	}
	if len(r.NATTargets) == 0 || len(r.NATTargets) > 1 && !static(r) {
		return unsupported(r, "natTargets", "one target is needed, of which more are not realised")
	}
	t := r.NATTargets[0]
	if !t.AddressFrom.Is4() || !t.AddressTo.Is4() || t.AddressTo.Less(t.AddressFrom) || t.PortTo < t.PortFrom {
		return unsupported(r, "natTargets", "this is no range of IPv4 addresses and ports")
	}
	return nil
}

// checkRest refuses a jump behind a translation to a chain that the walk may
// have visited before it: MidoNet then skips the jump or not by what the packet
// met earlier, which is not known any more.
func (d *device) checkRest(n natRule) error {
	var before []sdn.ChainID
	for _, f := range n.at {
		for i, r := range d.view.RulesOf(f.chain) {
			if r.Type == sdn.RuleJump && i < f.next-1 {
				before = append(before, d.reach(r.JumpChain)...)
			}
		}
	}
	for _, f := range n.rest {
		for i, r := range d.view.RulesOf(f.chain) {
			if r.Type != sdn.RuleJump || i < f.next {
				continue
			}
			for _, c := range d.reach(r.JumpChain) {
				if slices.Contains(before, c) {
					return unsupported(n.rule, "flowAction", fmt.Sprintf("rule %s jumps again to chain %s behind the translation", r.ID, c))
				}
			}
		}
	}
	return nil
}

// mark returns the mark of a key: a hash, or the next number that is free.
func (d *device) mark(key string) uint32 {
	m := hash(key) & markRule
	for ; m == 0 || d.marks[m] != "" && d.marks[m] != key; m = (m + 1) & markRule {
	}
	d.marks[m] = key
	return m
}

// finishNAT adds what happens to marked packets at the later hooks: the
// translation, the check that it took place, and the rules behind it.
func (d *device) finishNAT() error {
	if len(d.nat) == 0 {
		return nil
	}
	slices.SortFunc(d.nat, func(a, b natRule) int { return cmp.Compare(a.mark, b.mark) })
	for _, s := range []struct {
		side        natSide
		hook        nft.Hook
		at, after   int32
		name        string
		reply, orig uint32 // status of packets that are translated on this side
	}{
		{natDst, nft.Prerouting, prioDNAT, prioInboundTranslated, "inbound", nft.StatusSNAT, nft.StatusDNAT},
		{natSrc, nft.Postrouting, prioSNAT, prioOutboundTranslated, "outbound", nft.StatusDNAT, nft.StatusSNAT},
	} {
		rules := nft.Set{Name: s.name + "-nat", Key: nft.TypeMark, Data: nft.TypeVerdict}
		after := nft.Set{Name: s.name + "-met", Key: nft.TypeMark, Data: nft.TypeVerdict}
		for _, n := range d.nat {
			if n.before.nat != s.side {
				continue
			}
			if chain, ok := d.translation(n); ok {
				rules.Elements = append(rules.Elements, nft.Element{Key: nft.Uint32(n.mark), Verdict: nft.Goto(chain)})
			}
			v, err := d.behind(n)
			if err != nil {
				return err
			}
			after.Elements = append(after.Elements, nft.Element{Key: nft.Uint32(n.mark), Verdict: v})
		}
		byMark := func(m string) nft.Vmap {
			return nft.Vmap{Field: nft.Mark, Mask: nft.Uint32(markRule), Map: m}
		}
		d.addSet(rules)
		d.addSet(after)
		d.base(s.name+"-nat", nft.NATChain, s.hook, s.at, nft.PolicyAccept, nft.NewRule(byMark(rules.Name)))
		d.base(s.name+"-met", nft.FilterChain, s.hook, s.after, nft.PolicyAccept,
			nft.NewRule(byMark(after.Name)),
			nft.NewRule(append([]nft.Statement{generatedHere()}, ownErrors().Statements...)...).WithComment("the router's own ICMP errors"),
			nft.NewRule(reply(), translated(s.reply), nft.Drop()).WithComment("translated back, but met no reverse NAT rule"),
			nft.NewRule(original(), translated(s.orig), nft.Drop()).WithComment("translated, but met no NAT rule"))
	}
	return nil
}

// visited is the path on which the rules of a frame behind the translation are
// called: its callers, and the other chains that the packet was in.
func (n natRule) visited(frameAt int) path {
	p := slices.Clone(n.rest[:frameAt])
	for _, f := range n.at {
		if f.chain != n.rest[frameAt].chain && !p.has(f.chain) {
			p = append(p, frame{f.chain, -1})
		}
	}
	return p
}

func generatedHere() nft.Match {
	return nft.Match{Field: nft.Mark, Mask: nft.Uint32(markGenerated), Value: nft.Uint32(0), Not: true}
}

// translation makes the nat chain of a forward NAT rule.
func (d *device) translation(n natRule) (string, bool) {
	t, ok := n.target()
	if !ok {
		return "", false
	}
	kind := nft.SNAT
	if n.before.nat == natDst {
		kind = nft.DNAT
	}
	nat := nft.NAT{Kind: kind, From: t.AddressFrom, To: t.AddressTo}
	name := fmt.Sprintf("nat-%08x", n.mark)
	comment := "rule " + string(n.rule.ID)
	proto := func(p uint8, nat nft.NAT) nft.Rule {
		return nft.NewRule(nft.Match{Field: nft.IPProto, Value: nft.Uint8(p)}, nat).WithComment(comment)
	}
	c := nft.Chain{Name: name}
	if static(n.rule) {
		nat.To = nat.From // a static rule uses the first address only
		c.Rules = []nft.Rule{nft.NewRule(nat).WithComment(comment)}
	} else {
		withPorts := nat
		withPorts.PortFrom, withPorts.PortTo = t.PortFrom, t.PortTo
		c.Rules = []nft.Rule{proto(protoTCP, withPorts), proto(protoUDP, withPorts), proto(protoICMP, nat)}
	}
	d.table.Chains = append(d.table.Chains, c)
	return name, true
}

// behind makes the chain of what a packet that met a NAT rule passes behind the
// translation: it is dropped unless it bears a target's address (connection
// tracking translates no invalid packet, no unknown protocol, and no packet of
// a connection that began otherwise); then the remaining rules follow.
func (d *device) behind(n natRule) (nft.Verdict, error) {
	var rules []nft.Rule
	if t, ok := n.target(); ok {
		m := nft.Match{Field: nft.IPSrc, Not: true, Value: nft.Addr(t.AddressFrom)}
		if n.before.nat == natDst {
			m.Field = nft.IPDst
		}
		if t.AddressTo != t.AddressFrom && !static(n.rule) {
			m.To = nft.Addr(t.AddressTo)
		}
		rules = append(rules, nft.NewRule(m, nft.Drop()).WithComment("met rule "+string(n.rule.ID)+", but not translated"))
	}
	for at, i := range slices.Backward(n.rest) {
		if i.next >= len(d.view.RulesOf(i.chain)) {
			continue
		}

		name, err := d.chain(n.before.after(), i.chain, i.next, n.visited(at))
		if err != nil {
			return nft.Verdict{}, err
		}
		rules = append(rules, nft.NewRule(nft.Jump(name)))
	}
	if len(rules) == 0 {
		return nft.Accept(), nil
	}
	name := fmt.Sprintf("met-%08x", n.mark)
	d.table.Chains = append(d.table.Chains, nft.Chain{Name: name, Rules: rules})
	return nft.Goto(name), nil
}
