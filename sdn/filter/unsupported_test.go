package filter_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/nft"
)

func TestDeviceThatDoesNotExist(t *testing.T) {
	_, err := filter.Router(newTopology(), "test", routerID(1))
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = filter.Bridge(newTopology(), "test", bridgeID(1))
	require.ErrorIs(t, err, sdn.ErrNotFound)
}

// refused asserts that a device's translation fails with rule and field, and
// that Check says the same of the chain.
func refused(t *testing.T, top *topology, chain int, field string) {
	t.Helper()
	var err error
	if len(top.bridges) > 0 {
		_, err = filter.Bridge(top, "test", bridgeID(1))
	} else {
		_, err = filter.Router(top, "test", routerID(1))
	}
	for _, err := range []error{err, filter.Check(top, chainID(chain))} {
		require.ErrorIs(t, err, sdn.ErrUnsupported)
		require.ErrorContains(t, err, "field "+field+":")
		require.ErrorContains(t, err, "rule 5")
	}
}

func TestWhatCannotBeExpressedNamesRuleAndField(t *testing.T) {
	tgt := target("10.2.0.100", "10.2.0.100", 0, 0)
	dnat, snat := nat(sdn.RuleDNAT, sdn.FlowAccept, tgt), nat(sdn.RuleSNAT, sdn.FlowAccept, tgt)
	inbound := func(r sdn.Rule) *topology { return labTopology([]sdn.Rule{r}, nil) }
	outbound := func(r ...sdn.Rule) *topology { return labTopology(nil, r) }
	twoTargets := append(target("10.2.0.1", "10.2.0.1", 1, 2), target("10.2.0.9", "10.2.0.9", 1, 2)...)
	noTarget := nat(sdn.RuleSNAT, sdn.FlowAccept, nil)
	for _, c := range []struct {
		name  string
		top   *topology
		chain int
		field string
	}{
		{"traversed device", inbound(when(sdn.Condition{TraversedDevice: sdn.DeviceID(bridgeID(1))}, accept())), 1, "traversedDevice"},
		{"port of entry behind a link", labTopology([]sdn.Rule{when(sdn.Condition{PortGroup: portGroupID(1)}, accept())}, nil, func(top *topology) {
			top.portGroups[portGroupID(1)] = []sdn.PortID{uplink, portA}
		}), 1, "portGroup"},
		{"destination translated, on a bridge", bridgeTopology([]sdn.Rule{when(sdn.Condition{DstRewritten: true}, accept())}, nil), 1, "matchNwDstRewritten"},
		{"unknown type", inbound(sdn.Rule{Type: "trace"}), 1, "type"},
		{"snat inbound", inbound(snat), 1, "type"},
		{"rev_dnat inbound", inbound(rev(sdn.RuleRevDNAT, sdn.FlowAccept)), 1, "type"},
		{"dnat outbound", outbound(dnat), 2, "type"},
		{"rev_snat outbound", outbound(rev(sdn.RuleRevSNAT, sdn.FlowAccept)), 2, "type"},
		{"no target", outbound(noTarget), 2, "natTargets"},
		{"several targets with ports", outbound(nat(sdn.RuleSNAT, sdn.FlowAccept, twoTargets)), 2, "natTargets"},
		{"targets the wrong way round", outbound(nat(sdn.RuleSNAT, sdn.FlowAccept, target("10.2.0.9", "10.2.0.1", 1, 2))), 2, "natTargets"},
		{"IPv6 target", outbound(nat(sdn.RuleSNAT, sdn.FlowAccept, target("fd00::1", "fd00::1", 0, 0))), 2, "natTargets"},
		{"unknown flow action", outbound(nat(sdn.RuleSNAT, "perhaps", tgt)), 2, "flowAction"},
		{"reject behind source translation", outbound(nat(sdn.RuleSNAT, sdn.FlowContinue, tgt), reject()), 2, "type"},
		{"nonheader on a router", inbound(when(sdn.Condition{Fragment: sdn.FragmentNonHeader}, drop())), 1, "fragmentPolicy"},
		{"MAC outbound", outbound(when(sdn.Condition{DLSrc: "02:00:00:00:00:01"}, drop())), 2, "dlSrc"},
		{"bad MAC", inbound(when(sdn.Condition{DLDst: "02:00"}, drop())), 1, "dlDst"},
		{"bad protocol", inbound(when(sdn.Condition{Proto: number(256)}, drop())), 1, "nwProto"},
		{"bad TOS", inbound(when(sdn.Condition{TOS: number(256)}, drop())), 1, "nwTos"},
		{"NAT on a bridge", bridgeTopology([]sdn.Rule{dnat}, nil), 1, "type"},
		{"NAT at a router's port", labTopology(nil, nil, func(top *topology) {
			withPort(pods, func(p *sdn.Port) { p.InboundFilter = top.chain(3, dnat) })(top)
		}), 3, "type"},
		{"NAT in a local redirect chain", labTopology(nil, nil, func(top *topology) {
			withRouter(func(r *sdn.Router) { r.LocalRedirect = top.chain(3, dnat) })(top)
		}), 3, "type"},
		{"NAT in a forward chain", labTopology(nil, nil, func(top *topology) {
			withRouter(func(r *sdn.Router) { r.Forward = top.chain(3, snat) })(top)
		}), 3, "type"},
		{"by a jump", labTopology([]sdn.Rule{jump(3)}, nil, func(top *topology) { top.chain(3, jump(4)); top.chain(4, snat) }), 4, "type"},
		{"in a jump without effect", labTopology([]sdn.Rule{when(sdn.Condition{TraversedDevice: sdn.DeviceID(bridgeID(1))}, jump(99))}, nil), 1, "traversedDevice"},
		{"a chain that may have been visited before the translation", labTopology(
			[]sdn.Rule{when(fromUplink, jump(3)), nat(sdn.RuleDNAT, sdn.FlowContinue, target("10.1.0.5", "10.1.0.5", 0, 0)), jump(3)}, nil,
			func(top *topology) { top.chain(3, drop()) }), 1, "flowAction"},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, c.top, c.chain, c.field) })
	}
}

func TestChainsThatAreTooDeep(t *testing.T) {
	top := labTopology([]sdn.Rule{jump(10)}, nil, func(top *topology) {
		for n := range 20 {
			top.chain(10+n, jump(11+n))
		}
	})
	_, err := filter.Router(top, "test", routerID(1))
	require.ErrorIs(t, err, sdn.ErrUnsupported)
	require.ErrorContains(t, err, "chain 4")
}

func TestCheckOfAChainThatNothingUses(t *testing.T) {
	top := newTopology()
	top.portGroups[portGroupID(1)] = []sdn.PortID{portA}
	bad := top.chain(1, when(sdn.Condition{TraversedDevice: sdn.DeviceID(bridgeID(1))}, accept()))
	require.ErrorIs(t, filter.Check(top, bad), sdn.ErrUnsupported)
	for n, r := range []sdn.Rule{
		when(sdn.Condition{Fragment: sdn.FragmentNonHeader}, drop()), when(sdn.Condition{MatchReturnFlow: true}, accept()), reject(), jump(7),
		when(sdn.Condition{PortGroup: portGroupID(1)}, drop()), when(sdn.Condition{DstRewritten: true}, drop()),
		nat(sdn.RuleSNAT, sdn.FlowContinue, target("10.0.0.1", "10.0.0.1", 1, 9)), rev(sdn.RuleRevDNAT, sdn.FlowReturn),
		nat(sdn.RuleDNAT, sdn.FlowAccept, target("10.0.0.1", "10.0.0.1", 0, 0)), rev(sdn.RuleRevSNAT, sdn.FlowContinue),
	} {
		t.Run(fmt.Sprint(r.Type), func(t *testing.T) { require.NoError(t, filter.Check(top, top.chain(10+n, r))) })
	}
}

func TestCheckOfARouterThatIsDown(t *testing.T) {
	top := labTopology([]sdn.Rule{nat(sdn.RuleSNAT, sdn.FlowAccept, target("10.0.0.1", "10.0.0.1", 0, 0))}, nil)
	r := top.routers[routerID(1)]
	r.AdminStateUp = false
	top.routers[r.ID] = r
	_, err := filter.Router(top, "test", r.ID)
	require.NoError(t, err)
	require.ErrorIs(t, filter.Check(top, chainID(1)), sdn.ErrUnsupported)
}

func TestCheckOfChainsInUse(t *testing.T) {
	top := tenant()
	require.NoError(t, filter.Check(top, chainID(1)))
	require.NoError(t, filter.Check(top, chainID(2)))
}

// A port more is elements more: no chain or rule of the provider's router
// changes.
func TestAPortMoreIsElementsOnly(t *testing.T) {
	chains := func(ports int) []nft.Chain {
		top := labTopology([]sdn.Rule{accept()}, nil, func(top *topology) {
			filtered := top.chain(3, drop())
			for n := range ports {
				a := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, byte(n >> 8), byte(n)}), 31)
				withPort(top.port(100+n, routerID(1), fmt.Sprintf("moat%d", n), a.String()), func(p *sdn.Port) { p.InboundFilter = filtered })(top)
			}
		})
		tables, err := filter.Router(top, "test", routerID(1))
		require.NoError(t, err)
		return tables[0].Chains
	}
	require.Equal(t, chains(1), chains(1000))
}

// Marks and names depend on the topology alone.
func TestTranslationIsTheSameEveryTime(t *testing.T) {
	first, err := filter.Router(tenant(), "default", routerID(1))
	require.NoError(t, err)
	for range 10 {
		again, err := filter.Router(tenant(), "default", routerID(1))
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
}
