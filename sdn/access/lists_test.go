package access_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
)

func TestListsHoldTheOwnTenantsAlone(t *testing.T) {
	mine := as(access.TenantUser, red)
	tenants, err := mine.Tenants(t.Context())
	require.NoError(t, err)
	require.Equal(t, []sdn.TenantID{red}, tenants)
	none, err := as(access.TenantUser, "green").Tenants(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)

	routers, err := mine.Routers(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []sdn.Router{{ID: "router-red", TenantID: red}}, routers)
	ports, err := mine.Ports(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []sdn.Port{{ID: "on-bridge-red", Device: "bridge-red"}, {ID: "on-router-red", Device: "router-red"}}, ports)
	peers, err := mine.PeerPorts(t.Context(), "router-red")
	require.NoError(t, err)
	require.Equal(t, []sdn.Port{{ID: "b", Device: "bridge-red"}}, peers)
	members, err := mine.PortGroupPorts(t.Context(), "group-red")
	require.NoError(t, err)
	require.Equal(t, []sdn.PortGroupPort{{Group: "group-red", Port: "port-red"}}, members)
	groups, err := mine.GroupsOfPort(t.Context(), "port-red")
	require.NoError(t, err)
	require.Equal(t, []sdn.PortGroupPort{{Group: "group-red", Port: "port-red"}}, groups)
}

// spy remembers what a call got through with.
type spy struct {
	world
	router sdn.Router
	port   sdn.Port
	stored sdn.Port
	fail   error
}

func (s *spy) CreateRouter(_ context.Context, r sdn.Router) (sdn.Router, error) {
	s.router = r
	return r, nil
}

func (s *spy) UpdateRouter(_ context.Context, r sdn.Router) error {
	s.router = r
	return nil
}

func (s *spy) UpdatePort(_ context.Context, p sdn.Port) error {
	s.port = p
	return nil
}

func (s *spy) Port(ctx context.Context, id sdn.PortID) (sdn.Port, error) {
	if id == s.stored.ID {
		return s.stored, nil
	}
	return s.world.Port(ctx, id)
}

func (s *spy) Bridge(ctx context.Context, id sdn.BridgeID) (sdn.Bridge, error) {
	if s.fail != nil {
		return sdn.Bridge{}, s.fail
	}
	return s.world.Bridge(ctx, id)
}

func TestWhatHasNoOwnerBecomesTheTenants(t *testing.T) {
	s := &spy{}
	mine := access.For(s, access.Identity{Tenant: red, Role: access.TenantAdmin})
	_, err := mine.CreateRouter(t.Context(), sdn.Router{Name: "r"})
	require.NoError(t, err)
	require.Equal(t, sdn.Router{Name: "r", TenantID: red}, s.router)
	require.NoError(t, mine.UpdateRouter(t.Context(), sdn.Router{ID: "router-red", Name: "new"}))
	require.Equal(t, sdn.Router{ID: "router-red", Name: "new", TenantID: red}, s.router)
	err = mine.UpdateRouter(t.Context(), sdn.Router{ID: "router-red", TenantID: blue})
	require.ErrorIs(t, err, sdn.ErrForbidden, "a tenant gives nothing away")
}

func TestUpdatesLetStandWhatAnAdminReferredTo(t *testing.T) {
	s := &spy{stored: sdn.Port{ID: "p", Device: "router-red", InboundFilter: "chain-blue", Peer: "port-blue", Host: "h", Interface: "i"}}
	mine := access.For(s, access.Identity{Tenant: red, Role: access.TenantAdmin})
	require.NoError(t, mine.UpdatePort(t.Context(), s.stored))
	require.Equal(t, s.stored, s.port)

	more := s.stored
	more.OutboundFilter = "chain-blue"
	require.NoError(t, mine.UpdatePort(t.Context(), more), "a chain that the port has already")
	s.stored.InboundFilter = ""
	require.ErrorIs(t, mine.UpdatePort(t.Context(), more), sdn.ErrForbidden)
	s.stored = sdn.Port{ID: "p", Device: "router-red"}
	require.ErrorIs(t, mine.UpdatePort(t.Context(), sdn.Port{ID: "p", Host: "h", Interface: "i"}), sdn.ErrForbidden)
	require.ErrorIs(t, mine.UpdatePort(t.Context(), sdn.Port{ID: "p", Peer: "port-blue"}), sdn.ErrForbidden)
}

func TestErrorsOfTheTopologyStayWhatTheyAre(t *testing.T) {
	away := errors.New("away")
	s := &spy{fail: away}
	mine := access.For(s, access.Identity{Tenant: red, Role: access.TenantAdmin})
	_, err := mine.Bridge(t.Context(), "bridge-red")
	require.ErrorIs(t, err, away)
	_, err = mine.PeerPorts(t.Context(), "router-red")
	require.ErrorIs(t, err, away, "a list with holes is none")
	_, err = mine.Router(t.Context(), "router-green")
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = mine.CreatePort(t.Context(), sdn.Port{Device: "router-red", InboundFilter: "chain-green"})
	require.ErrorIs(t, err, sdn.ErrNotFound, "a reference to what is not there")
}
