package access

import (
	"context"
	"errors"
	"fmt"

	"github.com/moatnet/moat/sdn"
)

// For is api as the identity may use it. An admin may do everything. Others
// live in their tenant: they see its objects, a TenantAdmin changes them too,
// and neither can refer to what another tenant owns. Hosts, bindings, tunnel
// zones and IP address groups belong to no tenant and are for admins alone.
// What is not allowed is sdn.ErrForbidden; lists hold the tenant's own alone.
func For(api sdn.API, who Identity) sdn.API {
	if who.Role == Admin {
		return api
	}
	return scoped{api, who}
}

// scoped is the API of someone who is no admin. Nothing is embedded: each
// method of the API is decided here, or does not compile.
type scoped struct {
	api sdn.API
	who Identity
}

var _ sdn.API = scoped{}

// check is a condition for a call. It is asked before the call is made, and the
// object's owner may change in between only by an admin's hand.
type check func(context.Context) error

// reads returns nil when the identity may read what the checks cover.
func (s scoped) reads(ctx context.Context, checks ...check) error {
	if s.who.Tenant == "" || s.who.Role != TenantAdmin && s.who.Role != TenantUser {
		return fmt.Errorf("user %s has no role in a tenant: %w", s.who.User, sdn.ErrForbidden)
	}
	for _, allowed := range checks {
		if err := allowed(ctx); err != nil {
			return err
		}
	}
	return nil
}

// writes returns nil when the identity may change what the checks cover.
func (s scoped) writes(ctx context.Context, checks ...check) error {
	if s.who.Role == TenantUser {
		return fmt.Errorf("role %s may read only: %w", TenantUser, sdn.ErrForbidden)
	}
	return s.reads(ctx, checks...)
}

// adminOnly is the answer where no check could help.
func adminOnly(what string) error {
	return fmt.Errorf("%s are for role %s: %w", what, Admin, sdn.ErrForbidden)
}

// owned compares an object's owner with the identity's tenant.
func (s scoped) owned(kind, id string, owner sdn.TenantID, err error) error {
	if err != nil {
		return err
	}
	if owner != s.who.Tenant {
		return fmt.Errorf("%s %s does not belong to tenant %s: %w", kind, id, s.who.Tenant, sdn.ErrForbidden)
	}
	return nil
}

// tenant narrows a list to the identity's own tenant, and gives what is created
// or replaced without an owner to it.
func (s scoped) tenant(t *sdn.TenantID) check {
	return func(context.Context) error {
		if *t == "" {
			*t = s.who.Tenant
		}
		if *t != s.who.Tenant {
			return fmt.Errorf("tenant %s is not yours: %w", *t, sdn.ErrForbidden)
		}
		return nil
	}
}

func (s scoped) router(id sdn.RouterID) check {
	return func(ctx context.Context) error {
		r, err := s.api.Router(ctx, id)
		return s.owned("router", string(id), r.TenantID, err)
	}
}

func (s scoped) bridge(id sdn.BridgeID) check {
	return func(ctx context.Context) error {
		b, err := s.api.Bridge(ctx, id)
		return s.owned("bridge", string(id), b.TenantID, err)
	}
}

func (s scoped) device(id sdn.DeviceID) check {
	return func(ctx context.Context) error {
		err := s.router(sdn.RouterID(id))(ctx)
		if errors.Is(err, sdn.ErrNotFound) {
			return s.bridge(sdn.BridgeID(id))(ctx)
		}
		return err
	}
}

func (s scoped) port(id sdn.PortID) check {
	return func(ctx context.Context) error {
		p, err := s.api.Port(ctx, id)
		if err != nil {
			return err
		}
		return s.device(p.Device)(ctx)
	}
}

func (s scoped) chain(id sdn.ChainID) check {
	return func(ctx context.Context) error {
		c, err := s.api.Chain(ctx, id)
		return s.owned("chain", string(id), c.TenantID, err)
	}
}

func (s scoped) portGroup(id sdn.PortGroupID) check {
	return func(ctx context.Context) error {
		g, err := s.api.PortGroup(ctx, id)
		return s.owned("port group", string(id), g.TenantID, err)
	}
}

// each checks all references of a kind that are set.
func each[ID ~string](one func(ID) check, ids ...ID) check {
	return func(ctx context.Context) error {
		for _, id := range ids {
			if id == "" {
				continue
			}
			if err := one(id)(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}
