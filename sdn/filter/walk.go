package filter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// device is the translation of one router or bridge in the making.
type device struct {
	view  sdn.View
	id    sdn.DeviceID // zero: no device in particular (Check)
	table nft.Table
	ports map[sdn.PortID]string // interface names of the device's own ports
	marks map[uint32]string     // the key that each mark stands for
	names map[string]string     // what each name of a chain or set stands for
	nat   []natRule

	stateful bool // a bridge with rules about flows
}

// maxChains bounds the nftables chains of one device, and maxDepth the calls
// within one hook (the kernel's own bound is 16).
const (
	maxChains = 4096
	maxDepth  = 14
)

// frame is a chain that called, and the index of the rule to go on with.
type frame struct {
	chain sdn.ChainID
	next  int
}

type path []frame

func (p path) has(c sdn.ChainID) bool {
	return slices.ContainsFunc(p, func(f frame) bool { return f.chain == c })
}

func (p path) key() string {
	var b strings.Builder
	for _, f := range p {
		fmt.Fprintf(&b, "/%s@%d", f.chain, f.next)
	}
	return b.String()
}

func (d *device) addSet(s nft.Set) {
	if _, ok := d.table.Set(s.Name); !ok {
		d.table.Sets = append(d.table.Sets, s)
	}
}

// name returns a name for what an identity describes: the one proposed, unless
// it stands for something else already (IDs are shortened in names).
func (d *device) name(proposed, identity string) string {
	name := proposed
	for n := 0; ; n++ {
		switch d.names[name] {
		case "":
			d.names[name] = identity
			return name
		case identity:
			return name
		}
		name = fmt.Sprintf("%s-%08x", proposed, hash(fmt.Sprint(identity, n)))
	}
}

// chain translates the rules of a chain from index first on, at a place, called
// along a path, and returns the name of the nft chain that holds them.
func (d *device) chain(p place, c sdn.ChainID, first int, callers path) (string, error) {
	name := p.name + "-" + short(c)
	if first > 0 {
		name += fmt.Sprintf("-from%d", first+1)
	}
	context := d.context(p, c, callers)
	if context != "" {
		name += fmt.Sprintf("-%08x", hash(context))
	}
	name = d.name(name, fmt.Sprintf("chain %s %s %d %s", p.name, c, first, context))
	if _, ok := d.table.Chain(name); ok {
		return name, nil
	}
	if len(callers) >= maxDepth || len(d.table.Chains) >= maxChains {
		return "", fmt.Errorf("chain %s: jumps are too deep or too many: %w", c, sdn.ErrUnsupported)
	}
	at := len(d.table.Chains)
	d.table.Chains = append(d.table.Chains, nft.Chain{Name: name})
	var out []nft.Rule
	for i, r := range d.view.RulesOf(c) {
		if i < first {
			continue
		}
		rs, err := d.rule(p, r, append(slices.Clone(callers), frame{c, i + 1}))
		if err != nil {
			return "", err
		}
		out = append(out, rs...)
	}
	d.table.Chains[at].Rules = out
	return name, nil
}

// context is what of the path changes a chain's translation: the chains on it
// that a jump would skip and, where a NAT rule goes on behind its translation,
// all of it.
func (d *device) context(p place, c sdn.ChainID, callers path) string {
	reach := d.reach(c)
	if p.nat == natDst || p.nat == natSrc {
		for _, x := range reach {
			if slices.ContainsFunc(d.view.RulesOf(x), goesOn) {
				return callers.key()
			}
		}
	}
	var skipped []string
	for _, f := range callers {
		if f.chain != c && slices.Contains(reach, f.chain) {
			skipped = append(skipped, string(f.chain))
		}
	}
	return strings.Join(skipped, "/")
}

// goesOn reports whether rules are evaluated behind a NAT rule's translation.
func goesOn(r sdn.Rule) bool {
	switch r.Type {
	case sdn.RuleDNAT, sdn.RuleSNAT, sdn.RuleRevDNAT, sdn.RuleRevSNAT:
		return r.FlowAction != sdn.FlowAccept
	}
	return false
}

// reach lists the chain and those that jumps lead to from it.
func (d *device) reach(c sdn.ChainID) []sdn.ChainID {
	out := []sdn.ChainID{c}
	for i := 0; i < len(out); i++ {
		for _, r := range d.view.RulesOf(out[i]) {
			if r.Type != sdn.RuleJump || slices.Contains(out, r.JumpChain) {
				continue
			}
			if _, ok := d.view.Chain(r.JumpChain); ok {
				out = append(out, r.JumpChain)
			}
		}
	}
	return out
}

// rule translates one rule; at is the path with the rule's own frame last.
func (d *device) rule(p place, r sdn.Rule, at path) ([]nft.Rule, error) {
	var do []nft.Statement
	switch r.Type {
	case sdn.RuleAccept:
		do = []nft.Statement{nft.Accept()}
	case sdn.RuleDrop:
		do = []nft.Statement{nft.Drop()}
	case sdn.RuleReturn:
		do = []nft.Statement{nft.Return()}
	case sdn.RuleReject:
		switch {
		case p.bridge, p.generated == generatedAll: // nobody to tell
			do = []nft.Statement{nft.Drop()}
		case p.canReject:
			do = []nft.Statement{nft.Reject{Code: nft.CodeAdminProhibited}}
		default:
			return nil, unsupported(r, "type", "the kernel cannot send ICMP errors behind source translation")
		}
	case sdn.RuleJump:
		if _, ok := d.view.Chain(r.JumpChain); !ok || at.has(r.JumpChain) {
			return d.noRule(p, r)
		}
		name, err := d.chain(p, r.JumpChain, 0, at)
		if err != nil {
			return nil, err
		}
		do = []nft.Statement{nft.Jump(name)}
	case sdn.RuleDNAT, sdn.RuleSNAT, sdn.RuleRevDNAT, sdn.RuleRevSNAT:
		return d.natRule(p, r, at)
	default:
		return nil, unsupported(r, "type", fmt.Sprintf("%q is no type of rule", r.Type))
	}
	return d.when(p, r, do...)
}

// noRule checks the condition of a rule that has nothing to do.
func (d *device) noRule(p place, r sdn.Rule) ([]nft.Rule, error) {
	_, err := d.condition(r, p)
	return nil, err
}

// when is the rule's condition followed by statements: one nft rule for each
// term. Where two terms hold the first ends the walk; a chain called twice by
// jump ends, the second time, as it did the first.
func (d *device) when(p place, r sdn.Rule, do ...nft.Statement) ([]nft.Rule, error) {
	f, err := d.condition(r, p)
	if err != nil {
		return nil, err
	}
	var out []nft.Rule
	for _, term := range f {
		var s []nft.Statement
		for _, m := range term {
			s = append(s, m)
		}
		out = append(out, nft.NewRule(append(s, do...)...).WithComment("rule "+string(r.ID)))
	}
	return out, nil
}
