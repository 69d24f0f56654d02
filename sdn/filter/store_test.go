package filter_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/filter"
	store "github.com/moatnet/moat/sdn/topology"
)

// What cannot be realised is refused where it is asked for, be it a rule, a
// member of a group or the use of a chain, and nothing is stored.
func TestTheStoreRefusesWhatCannotBeRealised(t *testing.T) {
	ctx := t.Context()
	top := store.NewMemory(store.Options{AllowDeadHosts: true, Check: filter.Check})
	t.Cleanup(func() { require.NoError(t, top.Close()) })
	chain, err := top.CreateChain(ctx, sdn.Chain{Name: "c"})
	require.NoError(t, err)
	router, err := top.CreateRouter(ctx, sdn.Router{AdminStateUp: true, LocalRedirect: chain.ID})
	require.NoError(t, err)
	bridge, err := top.CreateBridge(ctx, sdn.Bridge{AdminStateUp: true, InboundFilter: chain.ID})
	require.NoError(t, err)
	port := func(p sdn.Port) sdn.Port {
		p.AdminStateUp = true
		p, err := top.CreatePort(ctx, p)
		require.NoError(t, err)
		return p
	}
	routerPort := port(sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(router.ID), Address: netip.MustParsePrefix("10.0.0.1/24")})
	bridgePort := port(sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge.ID)})
	group, err := top.CreatePortGroup(ctx, sdn.PortGroup{Name: "g"})
	require.NoError(t, err)
	rule := func(c sdn.Condition, r sdn.Rule) error {
		r.Chain = chain.ID
		_, err := top.CreateRule(ctx, when(c, r))
		return err
	}

	require.ErrorIs(t, rule(sdn.Condition{}, nat(sdn.RuleDNAT, sdn.FlowAccept, target("10.0.0.9", "10.0.0.9", 0, 0))), sdn.ErrUnsupported, "on a bridge, and before the router's filter")
	require.ErrorIs(t, rule(sdn.Condition{DstRewritten: true}, drop()), sdn.ErrUnsupported, "on a bridge")
	require.ErrorIs(t, rule(sdn.Condition{TraversedDevice: sdn.DeviceID(router.ID)}, drop()), sdn.ErrUnsupported)
	require.NoError(t, rule(sdn.Condition{MatchReturnFlow: true}, accept()))
	require.NoError(t, rule(sdn.Condition{PortGroup: group.ID}, drop()), "of no member")
	for _, p := range []sdn.Port{routerPort, bridgePort} {
		require.ErrorIs(t, top.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: group.ID, Port: p.ID}), sdn.ErrUnsupported, "of two devices that use the chain")
	}
	router.LocalRedirect = ""
	require.NoError(t, top.UpdateRouter(ctx, router))
	require.NoError(t, top.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: group.ID, Port: bridgePort.ID}))
	require.ErrorIs(t, top.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: group.ID, Port: routerPort.ID}), sdn.ErrUnsupported)
	router.Forward = chain.ID
	require.ErrorIs(t, top.UpdateRouter(ctx, router), sdn.ErrUnsupported)
	members, err := top.PortGroupPorts(ctx, group.ID)
	require.NoError(t, err)
	require.Equal(t, []sdn.PortGroupPort{{Group: group.ID, Port: bridgePort.ID}}, members)
	rules, err := top.Rules(ctx, chain.ID)
	require.NoError(t, err)
	require.Len(t, rules, 2)
}
