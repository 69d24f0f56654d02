package filter

import (
	"errors"
	"slices"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// Check translates every device that uses a chain, itself or by jumps, and
// returns what cannot be expressed: an error that wraps sdn.ErrUnsupported and
// names rule and field. Of a chain that nothing uses it checks what no device
// could express. With a view in which a device has the chain as its filter already
// it says whether that may be.
func Check(v sdn.View, c sdn.ChainID) error {
	users := usersOf(v, c)
	var errs []error
	for _, id := range users.Routers {
		r, ok := v.Router(id)
		if !ok {
			continue
		}
		r.AdminStateUp = true // a router that is down has no use for its chains, but it may come up
		if _, err := translateRouter(v, "check", r); err != nil {
			errs = append(errs, err)
		}
	}
	for _, id := range users.Bridges {
		if _, err := Bridge(v, "check", id); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, anywhere(v, c))...)
}

// usersOf lists the routers and bridges that use a chain, their ports' filters
// included, directly or by way of chains that jump to it.
func usersOf(v sdn.View, c sdn.ChainID) sdn.Users {
	var all sdn.Users
	chains := []sdn.ChainID{c}
	router := func(id sdn.RouterID) {
		if !slices.Contains(all.Routers, id) {
			all.Routers = append(all.Routers, id)
		}
	}
	bridge := func(id sdn.BridgeID) {
		if !slices.Contains(all.Bridges, id) {
			all.Bridges = append(all.Bridges, id)
		}
	}
	for i := 0; i < len(chains); i++ {
		u := v.UsersOf(chains[i])
		for _, id := range u.Routers {
			router(id)
		}
		for _, id := range u.Bridges {
			bridge(id)
		}
		for _, id := range u.Ports {
			switch p, _ := v.Port(id); p.Kind {
			case sdn.RouterPort:
				router(sdn.RouterID(p.Device))
			case sdn.BridgePort:
				bridge(sdn.BridgeID(p.Device))
			}
		}
		for _, id := range u.Chains {
			if !slices.Contains(chains, id) {
				chains = append(chains, id)
			}
		}
	}
	return all
}

func anyBridge() place { return bridgeStage{}.place("") }

// anywhere checks a chain's rules at the places that can express most.
func anywhere(v sdn.View, c sdn.ChainID) error {
	d := newDevice(v, nft.IP, "", "")
	var errs []error
	for _, r := range v.RulesOf(c) {
		var err error
		switch r.Type {
		case sdn.RuleSNAT, sdn.RuleRevDNAT:
			_, err = d.natRule(outbound(), r, path{{c, r.Position}})
		case sdn.RuleDNAT, sdn.RuleRevSNAT:
			_, err = d.natRule(inbound(), r, path{{c, r.Position}})
		case sdn.RuleJump:
			_, err = d.noRule(inbound(), r)
			if _, onBridge := d.noRule(anyBridge(), r); onBridge == nil {
				err = nil
			}
		default:
			_, err = d.rule(inbound(), r, path{{c, r.Position}})
			if _, onBridge := d.rule(anyBridge(), r, path{{c, r.Position}}); onBridge == nil {
				err = nil
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
