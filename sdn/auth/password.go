package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"github.com/moatnet/moat/sdn/access"
)

// PasswordAuth knows one user, an admin, with a password that nobody guesses:
// it is compared by a fast hash.
type PasswordAuth struct {
	name           string
	user, password digest
	tokens         *tokens
}

var _ access.Authenticator = (*PasswordAuth)(nil)

// NewPasswordAuth lets the one user in, with tokens that hold for ttl.
func NewPasswordAuth(user, password string, ttl time.Duration) *PasswordAuth {
	return &PasswordAuth{
		name: user, user: sha256.Sum256([]byte(user)), password: sha256.Sum256([]byte(password)), tokens: newTokens(ttl),
	}
}

// Login compares in constant time. The project is not looked at.
func (a *PasswordAuth) Login(_ context.Context, c access.Credentials) (access.Token, error) {
	user, password := sha256.Sum256([]byte(c.User)), sha256.Sum256([]byte(c.Password))
	right := subtle.ConstantTimeCompare(user[:], a.user[:]) & subtle.ConstantTimeCompare(password[:], a.password[:])
	if right != 1 {
		return access.Token{}, errRefused
	}
	return a.tokens.give(a.name, a.password), nil
}

// Check knows the tokens of its own Login.
func (a *PasswordAuth) Check(_ context.Context, key string) (access.Identity, error) {
	if _, _, found := a.tokens.find(key); !found {
		return access.Identity{}, errRefused
	}
	return access.Identity{User: a.name, Role: access.Admin}, nil
}
