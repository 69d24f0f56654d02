package tenant

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn"
)

// lender names what the test says, and looks at the world as it is asked.
type lender struct {
	lend     func(ctx context.Context, r AttachRequest) (AttachRequest, error)
	returned int
}

func (l *lender) Lend(ctx context.Context, r AttachRequest) (AttachRequest, error) {
	return l.lend(ctx, r)
}

func (l *lender) Return(context.Context) { l.returned++ }

// nth names the address n places after the first of a tenant's first subnet.
func (w *world) nth(t *testing.T, m *Manager, tenant sdn.TenantID, n int) func(context.Context, AttachRequest) (AttachRequest, error) {
	return func(ctx context.Context, r AttachRequest) (AttachRequest, error) {
		of, err := m.EnsureTenant(ctx, tenant)
		require.NoError(t, err)
		r.IPs = []netip.Addr{ipam.Nth(of.Record.Subnets[0].Prefix, n)}
		return r, nil
	}
}

func TestLoanThatCannotBeUsedLeavesNothing(t *testing.T) {
	mine := errors.New("no server answered")
	for name, test := range map[string]struct {
		loan func(r *AttachRequest)
		err  error
		code Code
		says string
	}{
		"none":           {func(*AttachRequest) {}, mine, CodeIO, "no server answered"},
		"no address":     {func(r *AttachRequest) { r.IPs = nil }, nil, CodeInvalidConfig, "wanted is one of IPv4"},
		"IPv6":           {func(r *AttachRequest) { r.IPs[0] = netip.MustParseAddr("fd00::1") }, nil, CodeInvalidConfig, "wanted is one of IPv4"},
		"elsewhere":      {func(r *AttachRequest) { r.IPs[0] = netip.MustParseAddr("1.2.3.4") }, nil, CodeInvalidConfig, "not in subnet"},
		"another length": {func(r *AttachRequest) { r.SubnetBits = 8 }, nil, CodeInvalidConfig, "whose length is"},
		"the router's":   {func(r *AttachRequest) { r.IPs[0] = r.IPs[0].Prev() }, nil, CodeInvalidConfig, "is the gateway of"},
		"far gateway":    {func(r *AttachRequest) { r.Gateway = netip.MustParseAddr("1.2.3.4") }, nil, CodeInvalidConfig, "gateway 1.2.3.4"},
		"held":           {func(r *AttachRequest) { r.IPs[0] = r.IPs[0].Next() }, nil, CodeAddressInUse, "held by"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m := w.manager(t)
			other := request(t, "blue", "other")
			second, err := w.nth(t, m, "blue", 3)(t.Context(), other)
			require.NoError(t, err)
			_, err = m.Attach(t.Context(), second)
			require.NoError(t, err)
			before := w.everything(t)
			l := &lender{lend: func(ctx context.Context, r AttachRequest) (AttachRequest, error) {
				r, err := w.nth(t, m, "blue", 2)(ctx, r)
				require.NoError(t, err)
				test.loan(&r)
				return r, test.err
			}}
			r := request(t, "blue", "c1")
			r.Lender = l
			_, err = m.Attach(t.Context(), r)
			require.Equal(t, test.code, code(t, err), "%v", err)
			require.ErrorContains(t, err, test.says)
			require.Equal(t, 1, l.returned)
			require.Equal(t, before, w.everything(t))
			require.Len(t, w.leases(t), 1)
			require.Len(t, w.pods.pairs, 1)
		})
	}
}

func TestLentAddress(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	r := request(t, "blue", "c1")
	r.Routes = nil
	lent := 0
	l := &lender{}
	l.lend = func(ctx context.Context, r AttachRequest) (AttachRequest, error) {
		lent++
		rec := w.leases(t)[0]
		require.False(t, rec.Address.IsValid(), "it is recorded before")
		require.Equal(t, ipam.Adding, rec.State)
		p, err := w.topo.Port(ctx, sdn.PortID(rec.Port))
		require.NoError(t, err)
		require.True(t, p.Active, "its interface is there")
		require.Empty(t, p.Senders)
		r, err = w.nth(t, m, "blue", 7)(ctx, r)
		r.Routes = []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}
		return r, err
	}
	r.Lender = l
	got, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	rec := w.leases(t)[0]
	require.Equal(t, []netip.Prefix{netip.PrefixFrom(rec.Address, rec.Subnet.Bits())}, got.Addresses)
	require.Equal(t, ipam.Nth(rec.Subnet, 7), rec.Address)
	require.Len(t, got.Routes, 2)
	require.Equal(t, got.Addresses, w.pods.pairs[rec.HostName].Addresses)
	p, err := w.topo.Port(t.Context(), sdn.PortID(rec.Port))
	require.NoError(t, err)
	require.Equal(t, []sdn.Sender{{MAC: rec.PodMAC, Addrs: []netip.Addr{rec.Address}}}, p.Senders)

	again, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, got, again)
	require.Equal(t, 1, lent, "who is attached is not asked again")
	require.NoError(t, m.Check(t.Context(), r, got))
	_, err = m.Attach(t.Context(), AttachRequest{Attachment: attachment("c2"), Tenant: "blue", Netns: r.Netns, IPs: []netip.Addr{rec.Address}})
	require.Equal(t, CodeAddressInUse, code(t, err), "it is leased")
	require.NoError(t, m.Detach(t.Context(), r.Attachment))
	require.Empty(t, w.leases(t))
	require.Empty(t, w.pods.pairs)
}

// An agent dies while the lender works: the sweep undoes it, and so does a repeated
// Attach, which asks anew.
func TestLeftoverWithoutAnAddress(t *testing.T) {
	for name, finish := range map[string]func(t *testing.T, w *world, r AttachRequest){
		"sweep": func(t *testing.T, w *world, _ AttachRequest) {
			w.expire(t)
			require.NoError(t, w.manager(t).Sweep(t.Context()))
		},
		"attach": func(t *testing.T, w *world, r AttachRequest) {
			m := w.manager(t)
			r.Lender = &lender{lend: w.nth(t, m, "blue", 9)}
			_, err := m.Attach(t.Context(), r)
			require.NoError(t, err)
			require.NoError(t, m.Detach(t.Context(), r.Attachment))
		},
		"detach": func(t *testing.T, w *world, r AttachRequest) {
			require.NoError(t, w.manager(t).Detach(t.Context(), r.Attachment))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m := w.manager(t)
			_, err := m.EnsureTenant(t.Context(), "blue")
			require.NoError(t, err)
			before := w.everything(t)
			n, err := m.network(t.Context(), "blue")
			require.NoError(t, err)
			r := request(t, "blue", "c1")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			got, err := m.enter(ctx, n, r)
			require.NoError(t, err)
			var u undo
			require.NoError(t, m.fulfil(ctx, r, &got.Record, got, &u))
			finish(t, w, r)
			require.Empty(t, w.leases(t))
			require.Empty(t, w.pods.pairs)
			require.Equal(t, before, w.everything(t))
		})
	}
}

// The outcome of the lease of a lent address is not known: nothing of it stays.
func TestLentAddressWhoseLeaseIsUncertain(t *testing.T) {
	for name, done := range map[string]bool{"not done": false, "done": true} {
		t.Run(name, func(t *testing.T) {
			w, f := newWorld(t), &fault{}
			m := w.manager(t, func(o *Options) { o.Store = ledger.New(faultyKV{w.kv, f}, ledger.Options{}) })
			first := w.nth(t, m, "blue", 7)
			l := &lender{}
			l.lend = func(ctx context.Context, r AttachRequest) (AttachRequest, error) {
				r, err := first(ctx, r)
				f.arm(1, done)
				return r, err
			}
			r := request(t, "blue", "c1")
			r.Lender = l
			_, err := m.Attach(t.Context(), r)
			require.Equal(t, CodeTryAgain, code(t, err))
			require.Eventually(t, func() bool { return m.Finish(t.Context()) == nil && len(w.leases(t)) == 0 }, time.Minute, 10*time.Millisecond)
			require.Empty(t, w.pods.pairs)
			r.Lender = &lender{lend: first}
			_, err = m.Attach(t.Context(), r)
			require.NoError(t, err, "its address is free")
		})
	}
}
