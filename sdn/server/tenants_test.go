package server_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/server"
)

// directory is an authenticator that knows tenants; its user is who it holds.
type directory struct {
	who access.Identity
	err error
}

func (directory) Login(context.Context, access.Credentials) (access.Token, error) {
	return access.Token{Key: "k"}, nil
}
func (d directory) Check(context.Context, string) (access.Identity, error) { return d.who, nil }
func (d directory) Tenants(context.Context) ([]access.Tenant, error) {
	return []access.Tenant{{ID: "2", Name: "two", Description: "the second", Enabled: true}, {ID: "1", Name: "one"}}, d.err
}

func directoryOf(t *testing.T, d directory) *raw {
	return newRawOf(t, server.Options{API: sdntest.NewMemory(t), Auth: d})
}

func TestTenantsOfADirectory(t *testing.T) {
	r := directoryOf(t, directory{who: access.Identity{Role: access.Admin}})
	ts := r.list("/tenants", "Tenant-v2+json")
	require.Equal(t, []any{"1", "one", nil, false}, []any{ts[0]["id"], ts[0]["name"], ts[0]["description"], ts[0]["enabled"]})
	require.Equal(t, []any{"2", "two", "the second", true}, []any{ts[1]["id"], ts[1]["name"], ts[1]["description"], ts[1]["enabled"]})
	require.Equal(t, ts[1:], r.list("/tenants?marker=1", "Tenant-v2+json"))
	require.Equal(t, ts[1], r.get("/tenants/2", "Tenant-v2+json"))
	r.errorBody(r.call("GET", "/tenants/3", "{}", "Accept: */*"), 404)
}

func TestTenantsThatADirectoryHides(t *testing.T) {
	r := directoryOf(t, directory{who: access.Identity{Role: access.TenantUser, Tenant: "2"}})
	require.Len(t, r.list("/tenants", "Tenant-v2+json"), 1)
	r.errorBody(r.call("GET", "/tenants/1", "{}", "Accept: */*"), 404)
	require.Equal(t, "two", r.get("/tenants/2", "Tenant-v2+json")["name"])
}

func TestTenantsOfADirectoryThatIsAway(t *testing.T) {
	r := directoryOf(t, directory{who: access.Identity{Role: access.Admin}, err: errors.Join(errors.New("keystone"), sdn.ErrUnavailable)})
	for _, path := range []string{"/tenants", "/tenants/1"} {
		a := r.call("GET", path, "{}", "Accept: */*")
		r.errorBody(a, 503)
		require.Equal(t, "3", a.header.Get("RetryAfter"))
	}
}
