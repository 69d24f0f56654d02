package wire

import "github.com/moatnet/moat/sdn"

// fragmentPolicy is the policy that holds for a rule: its own, or the default
// of its type. MidoNet API, section 3.5.
func fragmentPolicy(r sdn.Rule) sdn.FragmentPolicy {
	ports := r.Condition.TPSrc != nil || r.Condition.TPDst != nil
	switch {
	case r.Condition.Fragment != "":
		return r.Condition.Fragment
	case needsWhole(r):
		return sdn.FragmentUnfragmented
	case ports:
		return sdn.FragmentHeader
	}
	return sdn.FragmentAny
}

// needsWhole reports whether the rule translates ports or picks an address by
// flow, so that only unfragmented packets can be translated.
func needsWhole(r sdn.Rule) bool {
	if r.Type != sdn.RuleDNAT && r.Type != sdn.RuleSNAT {
		return false
	}
	ports := r.Condition.TPSrc != nil || r.Condition.TPDst != nil
	if ports || len(r.NATTargets) != 1 {
		return true
	}
	t := r.NATTargets[0]
	return t.AddressFrom != t.AddressTo || t.PortFrom != 0 || t.PortTo != 0
}

// checkFragment refuses a policy that contradicts the rest of the rule.
func checkFragment(r sdn.Rule) error {
	var c check
	policy := r.Condition.Fragment
	ports := r.Condition.TPSrc != nil || r.Condition.TPDst != nil
	switch {
	case policy == "":
	case needsWhole(r) && policy != sdn.FragmentUnfragmented:
		c.fail("fragmentPolicy", "must be unfragmented for this NAT rule")
	case ports && (policy == sdn.FragmentAny || policy == sdn.FragmentNonHeader):
		c.fail("fragmentPolicy", "%s cannot be combined with tpSrc or tpDst", policy)
	}
	return c.err()
}
