package sdntest

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

func routers(t *testing.T, b *bed) {
	in, out := b.chain(), b.chain()
	want := sdn.Router{
		ID: sdn.NewID[sdn.RouterID](), TenantID: b.tenant, Name: `r "1" <ü>`, AdminStateUp: true,
		InboundFilter: in.ID, OutboundFilter: out.ID,
	}
	if b.release == wire.V5 {
		want.ASNumber = 64512
	}
	made := b.router(func(r *sdn.Router) { *r = want })
	require.Equal(t, want, made)
	got, err := b.Router(b.ctx(), want.ID)
	require.NoError(t, err)
	require.Equal(t, want, got)

	// A PUT is a full replace.
	require.NoError(t, b.UpdateRouter(b.ctx(), sdn.Router{ID: want.ID, TenantID: b.tenant, Name: "r"}))
	got, err = b.Router(b.ctx(), want.ID)
	require.NoError(t, err)
	require.Equal(t, sdn.Router{ID: want.ID, TenantID: b.tenant, Name: "r"}, got)

	other := b.router()
	list, err := b.Routers(b.ctx(), b.tenant)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Less(t, list[0].ID, list[1].ID)
	all, err := b.Routers(b.ctx(), "")
	require.NoError(t, err)
	require.Contains(t, all, other)

	require.NoError(t, b.DeleteRouter(b.ctx(), want.ID))
	_, err = b.Router(b.ctx(), want.ID)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	idempotent(t, b.DeleteRouter(b.ctx(), want.ID))
	require.ErrorIs(t, b.UpdateRouter(b.ctx(), want), sdn.ErrNotFound)
}

func routerIDs(t *testing.T, b *bed) {
	r := b.router()
	require.NotEmpty(t, r.ID)
	_, err := b.CreateRouter(b.ctx(), sdn.Router{ID: r.ID, TenantID: b.tenant, Name: "second"})
	require.ErrorIs(t, err, sdn.ErrExists)
	got, err := b.Router(b.ctx(), r.ID)
	require.NoError(t, err)
	require.Equal(t, r, got)
	_, err = b.CreateRouter(b.ctx(), sdn.Router{ID: "not-a-uuid"})
	require.ErrorIs(t, err, sdn.ErrInvalid)
	_, err = b.CreateRouter(b.ctx(), sdn.Router{TenantID: b.tenant, Name: "r", InboundFilter: sdn.NewID[sdn.ChainID]()})
	require.ErrorIs(t, err, sdn.ErrNotFound)
}

func bridges(t *testing.T, b *bed) {
	in := b.chain()
	br := b.bridge(func(br *sdn.Bridge) { br.InboundFilter = in.ID; br.AdminStateUp = false })
	got, err := b.Bridge(b.ctx(), br.ID)
	require.NoError(t, err)
	require.Equal(t, br, got)
	require.False(t, got.AdminStateUp)
	_, err = b.CreateBridge(b.ctx(), sdn.Bridge{ID: br.ID, TenantID: b.tenant, Name: "second"})
	require.ErrorIs(t, err, sdn.ErrExists)

	br.InboundFilter, br.Name, br.AdminStateUp = "", "renamed", true
	require.NoError(t, b.UpdateBridge(b.ctx(), br))
	got, err = b.Bridge(b.ctx(), br.ID)
	require.NoError(t, err)
	require.Equal(t, br, got)

	list, err := b.Bridges(b.ctx(), b.tenant)
	require.NoError(t, err)
	require.Equal(t, []sdn.Bridge{br}, list)
	require.NoError(t, b.DeleteBridge(b.ctx(), br.ID))
	require.ErrorIs(t, b.DeleteBridge(b.ctx(), br.ID), sdn.ErrNotFound)
}

func names(t *testing.T, b *bed) {
	long := strings.Repeat("ü", 255)
	r := b.router(func(r *sdn.Router) { r.Name = long })
	require.Equal(t, long, r.Name)
	_, err := b.CreateRouter(b.ctx(), sdn.Router{Name: long + "x"})
	require.ErrorIs(t, err, sdn.ErrInvalid)
	var invalid *sdn.ValidationError
	require.True(t, errors.As(err, &invalid), "%v", err)
	require.Equal(t, "name", invalid.Violations[0].Property)
	_, err = b.CreateBridge(b.ctx(), sdn.Bridge{Name: long + "x"})
	require.ErrorIs(t, err, sdn.ErrInvalid)
	_, err = b.CreateChain(b.ctx(), sdn.Chain{Name: long + "x"})
	require.ErrorIs(t, err, sdn.ErrInvalid)
}
