package tenant

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

func code(t *testing.T, err error) Code {
	var e *Error
	require.ErrorAs(t, err, &e)
	return e.Code
}

func TestBadRequestsAreRefusedBeforeAnythingIsMade(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	for name, c := range map[string]struct {
		change func(*AttachRequest)
		code   Code
		says   string
	}{
		"tenant is no namespace": {func(r *AttachRequest) { r.Tenant = "No_Name" }, CodeInvalidEnv, `"No_Name" is not the name of a namespace`},
		"tenant is a path":       {func(r *AttachRequest) { r.Tenant = "a/b" }, CodeInvalidEnv, "namespace"},
		"no tenant":              {func(r *AttachRequest) { r.Tenant = "" }, CodeInvalidEnv, "namespace"},
		"no container":           {func(r *AttachRequest) { r.Attachment.ContainerID = "" }, CodeInvalidConfig, "container ID"},
		"key in a key":           {func(r *AttachRequest) { r.Attachment.IfName = "a/b" }, CodeInvalidConfig, "interface name"},
		"other node":             {func(r *AttachRequest) { r.Attachment.Node = "node2" }, CodeInvalidConfig, "node2"},
		"no namespace":           {func(r *AttachRequest) { r.Netns = nil }, CodeInvalidEnv, "network namespace"},
		"two addresses":          {func(r *AttachRequest) { r.IPs = make([]netip.Addr, 2) }, CodeInvalidConfig, "2 addresses"},
		"IPv6":                   {func(r *AttachRequest) { r.IPs = []netip.Addr{netip.IPv6Loopback()} }, CodeInvalidConfig, "not IPv4"},
		"foreign address":        {func(r *AttachRequest) { r.IPs = []netip.Addr{netip.MustParseAddr("192.0.2.1")} }, CodeInvalidConfig, "none of the tenant's subnets"},
		"MTU too large":          {func(r *AttachRequest) { r.MTU = 1501 }, CodeInvalidConfig, "1501"},
		"MTU too small":          {func(r *AttachRequest) { r.MTU = 100 }, CodeInvalidConfig, "100"},
		"multicast MAC":          {func(r *AttachRequest) { r.MAC = "01:00:5e:00:00:01" }, CodeInvalidConfig, "unicast"},
		"no MAC":                 {func(r *AttachRequest) { r.MAC = "zz" }, CodeInvalidConfig, "MAC"},
		"IPv6 route":             {func(r *AttachRequest) { r.Routes = []netip.Prefix{netip.MustParsePrefix("::/0")} }, CodeInvalidConfig, "route"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(t, "blue", "c1")
			c.change(&r)
			_, err := m.Attach(t.Context(), r)
			require.Equal(t, c.code, code(t, err), "%v", err)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, string(r.Pod.Name))
			require.Empty(t, w.leases(t))
			require.Empty(t, w.pods.pairs)
		})
	}
}

func TestAttachMakesPortAndPairAndDetachLeavesTheTenantOnly(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	_, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	before := w.everything(t)

	r := request(t, "blue", "c1")
	r.Routes = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	got, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	rec := w.leases(t)[0]
	require.Equal(t, ipam.Nth(rec.Subnet, 2), rec.Address)
	require.Equal(t, []netip.Prefix{netip.PrefixFrom(rec.Address, 22)}, got.Addresses)
	require.Equal(t, ipam.Nth(rec.Subnet, 1), got.Gateway)
	require.Equal(t, []netip.Prefix{everywhere, r.Routes[0]}, got.Routes)
	require.Equal(t, Interface{Name: "eth0", MAC: ipam.MAC(rec.Address), MTU: 1450, Sandbox: r.NetnsPath}, got.Pod)
	require.Equal(t, "/run/netns/t", got.Host.Sandbox)
	p, err := w.topo.Port(t.Context(), sdn.PortID(rec.Port))
	require.NoError(t, err)
	require.True(t, p.Active)
	require.Equal(t, got.Host.Name, p.Interface)
	require.Equal(t, w.host, p.Host)
	require.Equal(t, []netip.Prefix{everywhere, r.Routes[0]}, w.pods.pairs[got.Host.Name].Routes)

	require.NoError(t, m.Check(t.Context(), r, got))
	require.NoError(t, m.Detach(t.Context(), r.Attachment))
	require.NoError(t, m.Detach(t.Context(), r.Attachment), "repeated")
	require.Equal(t, before, w.everything(t))
	require.Empty(t, w.pods.pairs)
	require.Empty(t, w.leases(t))
}

func TestRepeatedAttachAnswersTheSameAlsoInAnotherProcess(t *testing.T) {
	w := newWorld(t)
	r := request(t, "blue", "c1")
	first, err := w.manager(t).Attach(t.Context(), r)
	require.NoError(t, err)
	for range 2 {
		again, err := w.manager(t).Attach(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
	require.Len(t, w.leases(t), 1)
}

func TestAttachIsMadeAnewWhenItsPairIsGone(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	r := request(t, "blue", "c1")
	first, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	clear(w.pods.pairs)
	require.Equal(t, CodeCheckFailed, code(t, m.Check(t.Context(), r, first)))
	again, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	require.Contains(t, w.pods.pairs, again.Host.Name)
	require.Len(t, w.leases(t), 1)
	require.NoError(t, m.Check(t.Context(), r, again))
}

func TestLateDetachOfAnOlderContainerLeavesTheNewOne(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	old, young := request(t, "blue", "old"), request(t, "blue", "young")
	young.Pod = old.Pod
	_, err := m.Attach(t.Context(), old)
	require.NoError(t, err)
	got, err := m.Attach(t.Context(), young)
	require.NoError(t, err)
	require.NoError(t, m.Detach(t.Context(), old.Attachment))
	require.NoError(t, m.Check(t.Context(), young, got))
}

func TestEngineThatDoesNotTakeThePortIsTryAgainAndLeavesNothing(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	_, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	before := w.everything(t)
	w.eng.dead = true
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = m.Attach(ctx, request(t, "blue", "c1"))
	require.Equal(t, CodeTryAgain, code(t, err))
	require.ErrorContains(t, err, "blue/pod-c1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, m.Finish(t.Context()), "a slow machine leaves it for later")
	require.Equal(t, before, w.everything(t))
	require.Empty(t, w.leases(t))
	require.Empty(t, w.pods.pairs)
}

func TestErrorOfThePodsSideKeepsItsCode(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	w.pods.fail = func(op string) error {
		if op == "make" {
			return &Error{Code: CodeInterfaceUsed, Msg: "eth0 exists", Details: "remove it"}
		}
		return nil
	}
	_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
	require.Equal(t, CodeInterfaceUsed, code(t, err))
	require.ErrorContains(t, err, "eth0 exists")
	require.Empty(t, w.leases(t))
}

func TestUndoThatFailsIsFinishedLater(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	_, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	before := w.everything(t)
	w.pods.fail = func(string) error { return errors.New("kernel says no") }
	_, err = m.Attach(t.Context(), request(t, "blue", "c1"))
	require.ErrorContains(t, err, "kernel says no")
	require.Len(t, w.leases(t), 1, "the record outlives what it stands for")
	w.pods.fail = nil
	require.NoError(t, m.Finish(t.Context()))
	require.Empty(t, w.leases(t))
	require.Equal(t, before, w.everything(t))
}

func TestRequestedAddressIsGivenOrRefusedWithItsHolder(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	n, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	r := request(t, "blue", "c1")
	r.IPs = []netip.Addr{ipam.Nth(n.Record.Subnets[0].Prefix, 77)}
	got, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, r.IPs[0], got.Addresses[0].Addr())
	other := request(t, "blue", "c2")
	other.IPs = r.IPs
	_, err = m.Attach(t.Context(), other)
	require.Equal(t, CodeAddressInUse, code(t, err))
	require.ErrorContains(t, err, "moat/c1/eth0")
}

func TestFullSubnetGetsAFurtherBridgeUntilTheSupernetIsUsedUp(t *testing.T) {
	w := newWorld(t)
	plan := ipam.Defaults("small")
	plan.Supernet, plan.SubnetLength = netip.MustParsePrefix("10.128.0.0/28"), 29
	m := w.manager(t, func(o *Options) { o.Plan = plan })
	subnets := map[string]int{}
	for i := range 10 {
		_, err := m.Attach(t.Context(), request(t, "blue", string(rune('a'+i))))
		require.NoError(t, err)
	}
	for _, rec := range w.leases(t) {
		subnets[rec.Subnet.String()+" "+rec.Bridge]++
	}
	require.Len(t, subnets, 2)
	_, err := m.Attach(t.Context(), request(t, "blue", "z"))
	require.Equal(t, CodePoolExhausted, code(t, err))
	require.ErrorContains(t, err, ipam.KeySupernet)
	_, err = m.Attach(t.Context(), request(t, "red", "z"))
	require.Equal(t, CodePoolExhausted, code(t, err))
	require.NoError(t, m.Detach(t.Context(), attachment("a")))
	_, err = m.Attach(t.Context(), request(t, "blue", "z"))
	require.NoError(t, err, "in whichever subnet has room")
}

func TestTopologyRemovedByHandIsMadeAgain(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	n, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	before := w.everything(t)
	require.NoError(t, w.topo.DeleteBridge(t.Context(), sdn.BridgeID(n.Record.Subnets[0].Bridge)))
	require.NoError(t, w.topo.DeleteRouter(t.Context(), n.Router))
	_, err = m.Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	require.NoError(t, m.Detach(t.Context(), attachment("c1")))
	require.Equal(t, len(before), len(w.everything(t)))
}

func TestRepeatedAttachForAnotherTenantMoves(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	r := request(t, "blue", "c1")
	first, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	r.Tenant = "red"
	again, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	require.NotEqual(t, first.Gateway, again.Gateway)
	require.Equal(t, "red", w.leases(t)[0].Tenant)
	require.Len(t, w.leases(t), 1)
}

func TestCallerThatGivesUpLeavesNothing(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	_, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	before := w.everything(t)
	ctx, giveUp := context.WithCancel(t.Context())
	w.pods.fail = func(op string) error {
		if op == "make" {
			giveUp()
		}
		return nil
	}
	_, err = m.Attach(ctx, request(t, "blue", "c1"))
	require.Equal(t, CodeTryAgain, code(t, err))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, before, w.everything(t))
	require.Empty(t, w.leases(t))
	require.Empty(t, w.pods.pairs)
}
