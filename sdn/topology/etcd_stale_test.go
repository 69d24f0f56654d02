package topology

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// TestStaleWriterCannotReferToWhatIsGone has a writer whose graph hears no
// news, and that therefore finds nothing wrong with what it is asked to do.
func TestStaleWriterCannotReferToWhatIsGone(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	s := furnish(t, openTest(t, server.Client(), Options{}))
	r, gone, b, c, target := s.router(t), s.router(t), s.bridge(t), s.chain(t), s.chain(t)
	far, hop, kept := s.port(t, routerPort(r)), s.port(t, routerPort(r)), s.bridge(t)
	unzoned, dead := sdn.NewID[sdn.HostID](), sdn.NewID[sdn.HostID]()
	for _, h := range []sdn.HostID{unzoned, dead} {
		_, err := s.CreateHost(t.Context(), sdn.Host{ID: h})
		require.NoError(t, err)
		require.NoError(t, s.AddTunnelZoneHost(t.Context(), sdn.TunnelZoneHost{Zone: s.zone, Host: h, Address: far.Address.Addr()}))
	}
	client, err := server.NewClient()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	client.Watcher = &stalling{Watcher: client.Watcher, compacted: make(chan struct{})}
	stale := openTest(t, client, Options{AllowDeadHosts: true})

	require.NoError(t, s.DeleteRouter(t.Context(), gone))
	require.NoError(t, s.DeleteBridge(t.Context(), b))
	require.NoError(t, s.DeleteChain(t.Context(), target))
	require.NoError(t, s.DeletePort(t.Context(), far.ID))
	require.NoError(t, s.DeletePort(t.Context(), hop.ID))
	require.NoError(t, s.RemoveTunnelZoneHost(t.Context(), s.zone, unzoned))
	require.NoError(t, s.DeleteHost(t.Context(), dead))
	before := s.graph.rev

	filtered := bridgePort(kept)
	filtered.InboundFilter = target
	linked := bridgePort(kept)
	linked.Peer = far.ID
	for name, call := range map[string]func(ctx context.Context) error{
		"port of a deleted bridge":   func(ctx context.Context) error { _, err := stale.CreatePort(ctx, bridgePort(b)); return err },
		"port of a deleted router":   func(ctx context.Context) error { _, err := stale.CreatePort(ctx, routerPort(gone)); return err },
		"port with a deleted filter": func(ctx context.Context) error { _, err := stale.CreatePort(ctx, filtered); return err },
		"port with a deleted peer":   func(ctx context.Context) error { _, err := stale.CreatePort(ctx, linked); return err },
		"route by a deleted port":    func(ctx context.Context) error { _, err := stale.CreateRoute(ctx, route(r, hop.ID)); return err },
		"route of a deleted router": func(ctx context.Context) error {
			x := route(gone, "")
			x.Type = sdn.RouteReject
			_, err := stale.CreateRoute(ctx, x)
			return err
		},
		"rule in a deleted chain": func(ctx context.Context) error {
			_, err := stale.CreateRule(ctx, sdn.Rule{Chain: target, Type: sdn.RuleDrop})
			return err
		},
		"jump to a deleted chain": func(ctx context.Context) error {
			_, err := stale.CreateRule(ctx, sdn.Rule{Chain: c, Type: sdn.RuleJump, JumpChain: target})
			return err
		},
		"binding to a host no longer in a zone": func(ctx context.Context) error {
			p := bridgePort(kept)
			p.Host, p.Interface = unzoned, "eth0"
			_, err := stale.CreatePort(ctx, p)
			return err
		},
		"binding to a deleted host": func(ctx context.Context) error {
			p := bridgePort(kept)
			p.Host, p.Interface = dead, "eth0"
			_, err := stale.CreatePort(ctx, p)
			return err
		},
		"membership of a deleted host": func(ctx context.Context) error {
			return stale.AddTunnelZoneHost(ctx, sdn.TunnelZoneHost{Zone: s.zone, Host: dead, Address: far.Address.Addr()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, call(ctx), sdn.ErrUnavailable)
		})
	}
	_, err = s.Routers(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, before, s.graph.rev, "nothing was written")
	requireSound(t, s.Topology)
}

// TestHostIsNotDeletedUnderABinding deletes a host from a writer that has not
// heard of the binding.
func TestHostIsNotDeletedUnderABinding(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	s := furnish(t, openTest(t, server.Client(), Options{}))
	b := s.bridge(t)
	client, err := server.NewClient()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	client.Watcher = &stalling{Watcher: client.Watcher, compacted: make(chan struct{})}
	stale := openTest(t, client, Options{})
	s.bound(t, b, "eth0")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, stale.DeleteHost(ctx, s.host), sdn.ErrUnavailable)
	_, err = s.Host(t.Context(), s.host)
	require.NoError(t, err)
	requireSound(t, s.Topology)
}
