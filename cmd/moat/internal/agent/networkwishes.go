package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/netsource"
	"github.com/moatnet/moat/cmd/moat/internal/wishes"
)

// annotated is what the pod's annotations say of a network of others. Whether its
// plugins know of them is not known, so the result is compared with them.
func (c *call) annotated(ctx context.Context, s netsource.Step) (wishes.Wishes, error) {
	of := *c
	of.request.Env.IfName = s.IfName
	return of.wishes(ctx, cniconf.Args(c.request.Env.Args))
}

// written is an address as its annotation has it.
func written(a wishes.Address) string {
	if a.Bits == 0 {
		return a.String()
	}
	return netip.PrefixFrom(a.Addr, a.Bits).String()
}

// granted returns an error unless a network of others gave the pod what its
// annotations want.
func granted(w wishes.Wishes, s netsource.Step, r *types100.Result) error {
	miss := func(key, what string, got any) error {
		return &cniconf.Error{Code: cniconf.CodeConfig, Msg: fmt.Sprintf("annotation %s wants %s, the network gave %v", key, what, got),
			Details: "take the annotation away, or correct what the network source answers or the network's configuration"}
	}
	var addresses []netip.Prefix
	var gateways []netip.Addr
	for _, ip := range r.IPs {
		addresses = append(addresses, prefix(ip.Address))
		if g, ok := netip.AddrFromSlice(ip.Gateway); ok {
			gateways = append(gateways, g.Unmap())
		}
	}
	for _, want := range w.Addresses {
		same := func(p netip.Prefix) bool {
			return p.Addr() == want.Addr && (want.Bits == 0 || want.Bits == p.Bits())
		}
		if !slices.ContainsFunc(addresses, same) {
			return miss(w.AddressesFrom, "the address "+written(want), addresses)
		}
	}
	if w.Gateway.IsValid() && !slices.Contains(gateways, w.Gateway) {
		return miss(w.GatewayFrom, "the gateway "+w.Gateway.String(), gateways)
	}
	if got := macs(s, r); w.MAC != "" && !slices.Contains(got, w.MAC) {
		return miss(w.MACFrom, "the MAC "+w.MAC, got)
	}
	return nil
}
