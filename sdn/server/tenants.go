package server

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/wire"
)

func (s *server) registerTenants() {
	s.handle("/"+wire.Tenants, map[string]operation{
		http.MethodGet: {gives: []string{wire.Collection(wire.TenantV2)}, do: s.listTenants},
	})
	s.handle("/"+wire.Tenants+"/{id}", map[string]operation{
		http.MethodGet: {gives: []string{wire.TenantV2}, do: s.getTenant},
	})
}

// listTenants pages by ID: marker is the last ID of the page before, limit the
// greatest number of tenants.
func (s *server) listTenants(c *call) (answer, error) {
	ts, err := s.tenants(c)
	if err != nil {
		return answer{}, err
	}
	slices.SortFunc(ts, func(a, b access.Tenant) int { return cmp.Compare(a.ID, b.ID) })
	if marker := sdn.TenantID(c.query.Get("marker")); marker != "" {
		ts = slices.DeleteFunc(ts, func(t access.Tenant) bool { return t.ID <= marker })
	}
	if text := c.query.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 0 {
			return answer{}, wire.Refuse(sdn.ErrInvalid, "limit is not a number.")
		}
		ts = ts[:min(limit, len(ts))]
	}
	return shown(ts, nil, c.tenant)
}

// getTenant knows any tenant but where a directory says which there are: a
// tenant is the name that objects carry.
func (s *server) getTenant(c *call) (answer, error) {
	id := sdn.TenantID(c.PathValue("id"))
	if _, known := s.auth.(access.Directory); !known {
		return ok(c.uris.Tenant(id)), nil
	}
	ts, err := s.tenants(c)
	if err != nil {
		return answer{}, err
	}
	for _, t := range ts {
		if t.ID == id {
			return ok(c.tenant(t)), nil
		}
	}
	return answer{}, missing("Tenant", string(id))
}

// tenants lists those of the directory that logins come from, or the owners of
// objects. Who is no admin sees their own.
func (s *server) tenants(c *call) ([]access.Tenant, error) {
	if d, known := s.auth.(access.Directory); known {
		ts, err := d.Tenants(c.Context())
		ts = slices.Clone(ts)
		if who := identityOf(c.Context()); who.Role != access.Admin {
			ts = slices.DeleteFunc(ts, func(t access.Tenant) bool { return t.ID != who.Tenant })
		}
		return ts, err
	}
	ids, err := c.api.Tenants(c.Context())
	ts := make([]access.Tenant, len(ids))
	for i, id := range ids {
		ts[i] = access.Tenant{ID: id, Name: string(id), Enabled: true}
	}
	return ts, err
}

func (c *call) tenant(t access.Tenant) wire.Tenant {
	d := c.uris.Tenant(t.ID)
	d.Name, d.Description, d.Enabled = wire.Text(t.Name), wire.Text(t.Description), wire.Bool(t.Enabled)
	return d
}
