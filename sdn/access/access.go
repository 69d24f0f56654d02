package access

import (
	"context"
	"time"

	"github.com/moatnet/moat/sdn"
)

// Role is what a user may do.
type Role string

// The roles. Admin may do everything, TenantAdmin everything within their
// tenant, TenantUser may read their tenant.
const (
	Admin       Role = "admin"
	TenantAdmin Role = "tenant_admin"
	TenantUser  Role = "tenant_user"
)

// Identity is who stands behind a token.
type Identity struct {
	User   string
	Tenant sdn.TenantID // "" of an admin without one
	Role   Role         // the highest of their roles
}

// Credentials are what a client logs in with.
type Credentials struct {
	User, Password string
	Project        string // X-Auth-Project; may be empty
}

// Token is what a login gives.
type Token struct {
	Key     string
	Expires time.Time // zero: never
}

// Authenticator knows who may use the API. It must be safe for concurrent use.
// Errors: sdn.ErrUnauthorized, or sdn.ErrUnavailable when nobody can tell.
type Authenticator interface {
	Login(ctx context.Context, c Credentials) (Token, error)
	// Check says who stands behind a token.
	Check(ctx context.Context, token string) (Identity, error)
}

// Directory is an Authenticator that knows tenants itself (Keystone).
type Directory interface {
	Tenants(ctx context.Context) ([]Tenant, error)
}

// Tenant as a directory describes it.
type Tenant struct {
	ID                sdn.TenantID
	Name, Description string
	Enabled           bool
}
