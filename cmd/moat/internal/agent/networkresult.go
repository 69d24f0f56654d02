package agent

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/netsource"
	"github.com/moatnet/moat/tenant"
)

// obeyed returns an error unless a network gave the pod what the source wants:
// a plugin may overlook a wish without a word.
func obeyed(s netsource.Step, r *types100.Result) error {
	want := func(what, wanted string, got []string) error {
		return &cniconf.Error{Code: cniconf.CodeConfig,
			Msg:     fmt.Sprintf("the network source wants %s %s, the network gave %s", what, wanted, orNothing(got)),
			Details: "correct what the network source answers, or the network's configuration (a MAC needs the plugin's capability mac)"}
	}
	var addresses, gateways []string
	for _, ip := range r.IPs {
		addresses = append(addresses, prefix(ip.Address).String())
		if gateway, ok := netip.AddrFromSlice(ip.Gateway); ok {
			gateways = append(gateways, gateway.Unmap().String())
		}
	}
	switch {
	case s.Address.IsValid() && !slices.Contains(addresses, s.Address.String()):
		return want("the address", s.Address.String(), addresses)
	case s.Gateway.IsValid() && !slices.Contains(gateways, s.Gateway.String()):
		return want("the gateway", s.Gateway.String(), gateways)
	case s.MAC != "" && !slices.Contains(macs(s, r), s.MAC):
		return want("the MAC", s.MAC, macs(s, r))
	}
	return nil
}

// macs are those of the pod's interface.
func macs(s netsource.Step, r *types100.Result) (all []string) {
	for _, l := range r.Interfaces {
		if l.Name == s.IfName && l.Sandbox != "" {
			all = append(all, strings.ToLower(l.Mac))
		}
	}
	return all
}

func orNothing(s []string) string {
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s, ", ")
}

// merged is the result of several networks: the master's, and the interfaces of
// the others without their addresses, which are not the pod's primary ones.
func merged(conf Config, steps []netsource.Step, results []*types100.Result) (*types100.Result, error) {
	all := &types100.Result{CNIVersion: types100.ImplementedSpecVersion}
	at := slices.IndexFunc(steps, func(s netsource.Step) bool { return s.Master })
	if steps[at].List == nil { // it knows of an earlier plugin of the chain already
		all = results[at]
	} else {
		if conf.PrevResult != nil {
			var err error
			if all, err = readResult(conf); err != nil {
				return nil, err
			}
		}
		adopt(all, results[at])
		if all.DNS = results[at].DNS; all.DNS.IsEmpty() && conf.DNS != nil {
			all.DNS = *conf.DNS
		}
	}
	for i, r := range results {
		if i != at {
			all.Interfaces = append(all.Interfaces, r.Interfaces...)
		}
	}
	return all, nil
}

// adopt adds a network's interfaces, addresses and routes.
func adopt(all, r *types100.Result) {
	before := len(all.Interfaces)
	all.Interfaces = append(all.Interfaces, r.Interfaces...)
	for _, ip := range r.IPs {
		own := *ip
		if ip.Interface != nil {
			at := *ip.Interface + before
			own.Interface = &at
		}
		all.IPs = append(all.IPs, &own)
	}
	all.Routes = append(all.Routes, r.Routes...)
}

// printAs prints a result in the configuration's version.
func printAs(version string, r *types100.Result) ([]byte, error) {
	asked, err := r.GetAsVersion(version)
	if err != nil {
		return nil, fmt.Errorf("result in version %s: %w", version, err)
	}
	out, err := json.Marshal(asked)
	if err != nil {
		return nil, fmt.Errorf("print result: %w", err)
	}
	return append(out, '\n'), nil
}

// fromSource begins messages about what the network source wants.
const fromSource = "network source"

// addWish takes over what the network source wants of the tenant's own network. A
// pod that asks for something else is refused: one of them is wrong.
func (c *call) addWish(r *tenant.AttachRequest) error {
	if c.wish == nil {
		return nil
	}
	differ := func(asked, given any) error {
		return &cniconf.Error{Code: cniconf.CodeConfig, Msg: fmt.Sprintf("%s: the pod asks for %v, and the network source gives it %v",
			c.request.Env.Subject(), asked, given), Details: "correct one of them"}
	}
	if a := c.wish.Address; a.IsValid() {
		if len(r.IPs) > 0 && !slices.Equal(r.IPs, []netip.Addr{a.Addr()}) {
			return differ(r.IPs, a)
		}
		r.IPs, r.SubnetBits, r.IPsFrom = []netip.Addr{a.Addr()}, a.Bits(), fromSource
	}
	if g := c.wish.Gateway; g.IsValid() {
		if r.Gateway.IsValid() && r.Gateway != g {
			return differ("the gateway "+r.Gateway.String(), g)
		}
		r.Gateway, r.GatewayFrom = g, fromSource
	}
	if c.wish.MAC != "" {
		if r.MAC != "" && r.MAC != c.wish.MAC {
			return differ(r.MAC, c.wish.MAC)
		}
		r.MAC = c.wish.MAC
	}
	r.Routes = append(slices.Clip(r.Routes), c.wish.Routes...)
	return nil
}
