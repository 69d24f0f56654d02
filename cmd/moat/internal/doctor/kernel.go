package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/uuid"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane"
	"github.com/moatnet/moat/sdn/plan"
	"github.com/moatnet/moat/sdn/topology"
)

// kernel tries whether this kernel can do what the engine needs of it, by making a
// router with a bridge and translation as the engine does, and removing it.
func (x *examination) kernel(ctx context.Context) (err error) {
	t := topology.NewMemory(topology.Options{AllowDeadHosts: true})
	defer func() { err = errors.Join(err, t.Close()) }()
	if err := sample(ctx, t); err != nil {
		return fmt.Errorf("plan a router to try: %w", err)
	}
	e, err := dataplane.New(dataplane.Config{Source: t, Reports: t, NetnsDir: x.Config.RunNetns,
		Plan: plan.Config{Installation: uuid.NewString(), MTU: 1500}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	_, tried := e.Pass(ctx)
	if err := e.TakeDown(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("remove the router that was made to try: %w", err)
	}
	if tried != nil {
		x.found(fmt.Sprintf("a router cannot be made on this kernel: %v", tried), "no tenant's network works on this node",
			"modprobe -a veth bridge nf_tables nft_chain_nat nft_ct nft_reject_inet nft_masq, or boot a kernel that has them")
	}
	return ctx.Err()
}

// sample is a router with source NAT, and a bridge that is linked to it.
func sample(ctx context.Context, t *topology.Topology) error {
	var err error
	keep := func(e error) { err = errors.Join(err, e) }
	out, e := t.CreateChain(ctx, sdn.Chain{Name: "out", TenantID: "doctor"})
	keep(e)
	router, e := t.CreateRouter(ctx, sdn.Router{Name: "doctor", TenantID: "doctor", AdminStateUp: true, OutboundFilter: out.ID})
	keep(e)
	bridge, e := t.CreateBridge(ctx, sdn.Bridge{Name: "doctor", TenantID: "doctor", AdminStateUp: true})
	keep(e)
	address := netip.MustParsePrefix("169.254.77.1/24")
	gateway, e := t.CreatePort(ctx, sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(router.ID), AdminStateUp: true, Address: address})
	keep(e)
	trunk, e := t.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge.ID), AdminStateUp: true})
	keep(e)
	if err != nil {
		return err
	}
	keep(t.Link(ctx, gateway.ID, trunk.ID))
	_, e = t.CreateRule(ctx, sdn.Rule{Chain: out.ID, Position: 1, Type: sdn.RuleSNAT, FlowAction: sdn.FlowAccept,
		Condition:  sdn.Condition{OutPorts: []sdn.PortID{gateway.ID}, Fragment: sdn.FragmentUnfragmented},
		NATTargets: []sdn.NATTarget{{AddressFrom: address.Addr(), AddressTo: address.Addr(), PortFrom: 1024, PortTo: 65535}}})
	keep(e)
	return err
}
