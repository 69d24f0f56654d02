package ipamtest

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

// Options are what the suite sets of a store.
type Options struct {
	AddressCoolDown, SlotCoolDown time.Duration
	Ports                         int
	Now                           func() time.Time
}

// Open returns one more store over the same data: what another process is.
type Open func(Options) ipam.Store

// TestStore holds a store to the contract of ipam.Store. begin returns, for
// each test, the way to open stores over fresh data.
func TestStore(t *testing.T, begin func(t *testing.T) Open) {
	for _, c := range []struct {
		name string
		test func(*fixture)
	}{
		{"another plan is refused by its key", anotherPlan},
		{"the installation comes first", installationFirst},
		{"all who claim at once get one record", claimAtOnce},
		{"tenants share no subnet and no pair", noSharedSlots},
		{"supernet used up", supernetUsedUp},
		{"a slot cools down", slotCoolsDown},
		{"states of a tenant", states},
		{"a further subnet", furtherSubnet},
		{"a pool that nobody stated", poolUnknown},
		{"subnets of a named pool", poolCarved},
		{"a further subnet of a named pool", poolGrows},
		{"a pool in use neither changes nor goes", poolsStated},
		{"own subnets are leased as they say", ownSubnets},
		{"own subnets overlap nothing but those that overlap too", ownOverlap},
		{"of ranges that race one wins", ownRace},
		{"a tenant with leases is not deleted", deleteInUse},
		{"a stale record cannot lease", staleLease},
		{"a dropped tenant shares nothing with the next", generations},
		{"an attachment leases once", leaseOnce},
		{"a lease survives the process", survives},
		{"requested addresses", requested},
		{"addresses cool down", addressCoolsDown},
		{"what cools is leased when nothing else is left", coolingIsLast},
		{"a clock that goes backwards refuses nobody", backwards},
		{"a clock that is ahead or behind shortens no cool-down", wrongClock},
		{"a full subnet is said quickly", full},
		{"a bridge is full before its subnet", portsLimit},
		{"two processes fill a subnet without a clash", fillTogether},
		{"release is for the record it was read from", releaseFenced},
		{"confirm leaves alone what changed", confirm},
		{"what an entered attachment cannot be", enterRefuses},
		{"an attachment enters and is assigned an address", entersAndAssigns},
		{"of many who want one address one gets it", assignRace},
		{"a tenant goes while somebody waits for an address", enteredTenantGoes},
		{"take over is fenced", takeOver},
		{"lists are of node and network", lists},
		{"bad keys", badKeys},
		{"no time left", noTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fixture{T: t, open: begin(t), at: time.Unix(1_800_000_000, 0)}
			c.test(f)
		})
	}
}

// fixture is one test's stores, all on one clock.
type fixture struct {
	*testing.T
	open Open
	at   time.Time
	plan ipam.Installation
}

// small is a plan with few slots: 4 subnets of 5 addresses, 6 pairs.
func small() ipam.Installation {
	p := ipam.Defaults("test")
	p.Supernet, p.SubnetLength = netip.MustParsePrefix("10.0.0.0/27"), 29
	p.Transit = netip.MustParsePrefix("100.64.0.0/28")
	return p
}

// store opens a store and records the plan, ipam.Defaults if f has none.
func (f *fixture) store(o Options) ipam.Store {
	if o.Now == nil {
		o.Now = func() time.Time { return f.at }
	}
	if f.plan.Name == "" {
		f.plan = ipam.Defaults("test")
	}
	s := f.open(o)
	_, err := s.EnsureInstallation(f.Context(), f.plan)
	require.NoError(f, err)
	return s
}

func (f *fixture) claim(s ipam.Store, tenant string) ipam.Tenant {
	t, err := s.ClaimTenant(f.Context(), ipam.Claim{Tenant: tenant, Generation: uuid.NewString(), Bridge: "bridge-" + tenant})
	require.NoError(f, err)
	return t
}

func attachment(container string) ipam.Attachment {
	return ipam.Attachment{Node: "n1", Network: "moat", ContainerID: container, IfName: "eth0"}
}

func want(t ipam.Tenant, container string) ipam.Record {
	return ipam.Record{
		Attachment: attachment(container), Owner: "me", Deadline: time.Unix(1_900_000_000, 0).UTC(),
		Tenant: t.Name, Generation: t.Generation, Subnet: t.Subnets[0].Prefix, Bridge: t.Subnets[0].Bridge,
	}
}

func (f *fixture) lease(s ipam.Store, t ipam.Tenant, container string) ipam.Record {
	r, err := s.Lease(f.Context(), t, want(t, container))
	require.NoError(f, err)
	return r
}

func (f *fixture) drop(s ipam.Store, t ipam.Tenant) {
	t, err := s.MarkDeleting(f.Context(), t)
	require.NoError(f, err)
	require.NoError(f, s.DropTenant(f.Context(), t))
}

func (f *fixture) missing(s ipam.Store, a ipam.Attachment) {
	_, err := s.Attachment(f.Context(), a)
	require.ErrorIs(f, err, ipam.ErrNotFound)
}

func name(i int) string { return fmt.Sprintf("c%03d", i) }

func anotherPlan(f *fixture) {
	s := f.store(Options{})
	first, err := s.EnsureInstallation(f.Context(), f.plan)
	require.NoError(f, err)
	require.NotEmpty(f, first.ID)
	for key, change := range map[string]func(*ipam.Installation){
		ipam.KeyName:         func(p *ipam.Installation) { p.Name = "other" },
		ipam.KeySupernet:     func(p *ipam.Installation) { p.Supernet = netip.MustParsePrefix("10.0.0.0/9") },
		ipam.KeySubnetLength: func(p *ipam.Installation) { p.SubnetLength = 24 },
		ipam.KeyTransit:      func(p *ipam.Installation) { p.Transit = netip.MustParsePrefix("100.65.0.0/16") },
	} {
		other := f.plan
		change(&other)
		_, err := f.open(Options{}).EnsureInstallation(f.Context(), other)
		var config *ipam.ConfigError
		require.ErrorAs(f, err, &config)
		require.Equal(f, key, config.Key)
	}
	again, err := f.open(Options{}).EnsureInstallation(f.Context(), f.plan)
	require.NoError(f, err)
	require.Equal(f, first, again)
}

func installationFirst(f *fixture) {
	_, err := f.open(Options{}).ClaimTenant(f.Context(), ipam.Claim{Tenant: "blue"})
	require.ErrorIs(f, err, ipam.ErrInvalid)
}

func noTime(f *fixture) {
	s := f.store(Options{})
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	require.ErrorIs(f, s.Ping(ctx), ipam.ErrUnavailable)
	_, err := s.ClaimTenant(ctx, ipam.Claim{Tenant: "blue", Generation: "g"})
	require.ErrorIs(f, err, ipam.ErrUnavailable)
	require.NoError(f, s.Ping(f.Context()))
}
