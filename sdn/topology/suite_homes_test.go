package topology

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func viewOf[T any](top *Topology, f func(v sdn.View) T) T {
	var out T
	top.View(func(v sdn.View) { out = f(v) })
	return out
}

func testHomes(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	r := s.router(t)
	linked := func(t *testing.T, b sdn.BridgeID) (near, far sdn.Port) {
		near, far = s.port(t, routerPort(r)), s.port(t, bridgePort(b))
		require.NoError(t, s.Link(t.Context(), far.ID, near.ID))
		return near, far
	}

	t.Run("undecided", func(t *testing.T) {
		b := s.bridge(t)
		x, y := s.port(t, bridgePort(b)), s.port(t, bridgePort(s.bridge(t)))
		require.NoError(t, s.Link(t.Context(), x.ID, y.ID))
		require.Zero(t, s.home(t, b), "a link to a bridge decides nothing")
		_, err := s.CreateBridge(t.Context(), sdn.Bridge{Home: sdn.Home{Device: sdn.DeviceID(r)}})
		require.NoError(t, err)
		require.Empty(t, viewOf(s.Topology, func(v sdn.View) []sdn.Bridge { return v.BridgesAt(sdn.DeviceID(r)) }), "the caller does not choose it")
	})
	t.Run("linked first", func(t *testing.T) {
		b := s.bridge(t)
		near, _ := linked(t, b)
		want := sdn.Home{Device: sdn.DeviceID(r), Self: near.ID}
		require.Equal(t, want, s.home(t, b))
		s.bound(t, b, "pod1")
		linked(t, b)
		require.NoError(t, s.UpdateBridge(t.Context(), sdn.Bridge{ID: b, Name: "new"}))
		require.Equal(t, want, s.home(t, b), "neither binding, second link nor update moves it")
		at := viewOf(s.Topology, func(v sdn.View) []sdn.Bridge { return v.BridgesAt(sdn.DeviceID(r)) })
		require.Len(t, at, 1)
		require.Equal(t, b, at[0].ID)
	})
	t.Run("created bound first", func(t *testing.T) {
		b := s.bridge(t)
		s.bound(t, b, "pod2")
		linked(t, b)
		require.Equal(t, sdn.Home{Device: sdn.DeviceID(b)}, s.home(t, b))
	})
	t.Run("bound first", func(t *testing.T) {
		b := s.bridge(t)
		p := s.port(t, bridgePort(b))
		require.Zero(t, s.home(t, b))
		require.NoError(t, s.Bind(t.Context(), sdn.Binding{Host: s.host, Port: p.ID, Interface: "pod3"}))
		require.NoError(t, s.Unbind(t.Context(), p.ID))
		linked(t, b)
		require.Equal(t, sdn.Home{Device: sdn.DeviceID(b)}, s.home(t, b))
	})
	lost := map[string]func(near, far sdn.Port) error{
		"unlinked at the router": func(near, _ sdn.Port) error { return s.Unlink(ctx, near.ID) },
		"unlinked at the bridge": func(_, far sdn.Port) error { return s.Unlink(ctx, far.ID) },
		"router port deleted":    func(near, _ sdn.Port) error { return s.DeletePort(ctx, near.ID) },
		"bridge port deleted":    func(_, far sdn.Port) error { return s.DeletePort(ctx, far.ID) },
		"router port bound later": func(near, _ sdn.Port) error {
			return s.Bind(ctx, sdn.Binding{Host: s.host, Port: near.ID, Interface: "up0"})
		},
	}
	for name, lose := range lost {
		t.Run(name, func(t *testing.T) {
			b := s.bridge(t)
			near, far := linked(t, b)
			require.NoError(t, lose(near, far))
			require.Equal(t, sdn.Home{Device: sdn.DeviceID(r)}, s.home(t, b))
			linked(t, b)
			require.Equal(t, sdn.Home{Device: sdn.DeviceID(r)}, s.home(t, b), "a new link does not bring it back")
			requireSound(t, s.Topology)
		})
	}
	t.Run("linked to a bound router port", func(t *testing.T) {
		b := s.bridge(t)
		near, far := s.port(t, routerPort(r)), s.port(t, bridgePort(b))
		require.NoError(t, s.Bind(t.Context(), sdn.Binding{Host: s.host, Port: near.ID, Interface: "up1"}))
		require.NoError(t, s.Link(t.Context(), near.ID, far.ID))
		require.Equal(t, sdn.Home{Device: sdn.DeviceID(r)}, s.home(t, b))
	})
	s.clear(t)
}
