package auth

import (
	"context"
	"errors"

	"github.com/moatnet/moat/sdn/access"
)

// Beside are the users of a file beside those of Keystone. A name of the file is
// the file's alone: Keystone never sees its password.
type Beside struct {
	users    *Users
	keystone *Keystone
}

var (
	_ access.Authenticator = Beside{}
	_ access.Directory     = Beside{}
)

// NewBeside joins the two.
func NewBeside(u *Users, k *Keystone) Beside { return Beside{users: u, keystone: k} }

// Login implements access.Authenticator.
func (b Beside) Login(ctx context.Context, c access.Credentials) (access.Token, error) {
	if b.users.Knows(c.User) {
		return b.users.Login(ctx, c)
	}
	return b.keystone.Login(ctx, c)
}

// Check implements access.Authenticator.
func (b Beside) Check(ctx context.Context, key string) (access.Identity, error) {
	who, err := b.users.Check(ctx, key)
	if errors.Is(err, errRefused) {
		return b.keystone.Check(ctx, key)
	}
	return who, err
}

// Tenants implements access.Directory.
func (b Beside) Tenants(ctx context.Context) ([]access.Tenant, error) { return b.keystone.Tenants(ctx) }
