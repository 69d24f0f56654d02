package topology

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func testBind(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	b := s.bridge(t)
	free := s.port(t, bridgePort(b))
	used := s.bound(t, b, "eth1")
	loose, err := s.CreateHost(ctx, sdn.Host{ID: sdn.NewID[sdn.HostID]()})
	require.NoError(t, err)

	refused := []struct {
		name    string
		binding sdn.Binding
		kind    error
		text    string
	}{
		{"host missing", sdn.Binding{Host: sdn.NewID[sdn.HostID](), Port: free.ID, Interface: "x"}, sdn.ErrNotFound, "There is no Host with ID"},
		{"host in no zone", sdn.Binding{Host: loose.ID, Port: free.ID, Interface: "x"}, sdn.ErrConflict, "The specified host is not in any tunnel zone."},
		{"port missing", sdn.Binding{Host: s.host, Port: sdn.NewID[sdn.PortID](), Interface: "x"}, sdn.ErrNotFound, "There is no Port with ID"},
		{"port bound", sdn.Binding{Host: s.host, Port: used.ID, Interface: "x"}, sdn.ErrConflict, "already bound"},
		{"interface taken", sdn.Binding{Host: s.host, Port: free.ID, Interface: "eth1"}, sdn.ErrConflict, "already bound"},
		{"no interface", sdn.Binding{Host: s.host, Port: free.ID}, sdn.ErrInvalid, "interfaceName: may not be null"},
		{"interface too long", sdn.Binding{Host: s.host, Port: free.ID, Interface: "0123456789abcdef"}, sdn.ErrInvalid, "interfaceName"},
		{"interface with a slash", sdn.Binding{Host: s.host, Port: free.ID, Interface: "a/b"}, sdn.ErrInvalid, "interfaceName"},
	}
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			err := s.Bind(t.Context(), c.binding)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.text)
			if c.binding.Port != free.ID {
				return
			}
			p := bridgePort(b)
			p.Host, p.Interface = c.binding.Host, c.binding.Interface
			_, err = s.CreatePort(t.Context(), p)
			require.ErrorIs(t, err, c.kind, "the same by creating the port bound")
		})
	}

	s.SetAlive(s.host, false)
	err = s.Bind(ctx, sdn.Binding{Host: s.host, Port: free.ID, Interface: "eth2"})
	require.ErrorIs(t, err, sdn.ErrConflict, "no engine")
	s.SetAlive(s.host, true)
	require.NoError(t, s.Bind(ctx, sdn.Binding{Host: s.host, Port: free.ID, Interface: "eth2"}))
	list, err := s.Bindings(ctx, s.host)
	require.NoError(t, err)
	require.ElementsMatch(t, []sdn.Binding{
		{Host: s.host, Port: used.ID, Interface: "eth1"}, {Host: s.host, Port: free.ID, Interface: "eth2"},
	}, list)

	s.SetActive(free.ID, true)
	got, err := s.Port(ctx, free.ID)
	require.NoError(t, err)
	require.True(t, got.Active)
	require.NoError(t, s.Unbind(ctx, free.ID))
	require.NoError(t, s.Unbind(ctx, free.ID), "unbinding twice")
	require.NoError(t, s.Bind(ctx, sdn.Binding{Host: s.host, Port: free.ID, Interface: "eth3"}))
	got, err = s.Port(ctx, free.ID)
	require.NoError(t, err)
	require.False(t, got.Active, "another binding is not active because the one before was")
	require.ErrorIs(t, s.Unbind(ctx, sdn.NewID[sdn.PortID]()), sdn.ErrNotFound)
}
