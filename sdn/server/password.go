package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"sync"
	"time"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/wire"
)

// maxTokens bounds the memory that logins can take. One more login ends the
// token that would expire first.
const maxTokens = 4096

// PasswordAuth knows one user. It holds hashes only, of the password and of
// the tokens it gave.
type PasswordAuth struct {
	user, password [sha256.Size]byte
	name           string
	ttl            time.Duration
	now            func() time.Time

	mu     sync.Mutex
	tokens map[[sha256.Size]byte]time.Time // hash of the token: when it expires
	order  []expiry                        // oldest first; expiries never go back
}

type expiry struct {
	hash [sha256.Size]byte
	at   time.Time
}

// NewPasswordAuth lets the one user in, with tokens of 128 random bits that
// hold for ttl. They live in memory: after a restart clients log in again.
func NewPasswordAuth(user, password string, ttl time.Duration) *PasswordAuth {
	return &PasswordAuth{
		name: user, user: sha256.Sum256([]byte(user)), password: sha256.Sum256([]byte(password)),
		ttl: ttl, now: time.Now, tokens: make(map[[sha256.Size]byte]time.Time),
	}
}

// Login compares in constant time. The project is not looked at.
func (a *PasswordAuth) Login(_ context.Context, c access.Credentials) (access.Token, error) {
	user, password := sha256.Sum256([]byte(c.User)), sha256.Sum256([]byte(c.Password))
	right := subtle.ConstantTimeCompare(user[:], a.user[:]) & subtle.ConstantTimeCompare(password[:], a.password[:])
	if right != 1 {
		return access.Token{}, wire.Refuse(sdn.ErrUnauthorized, "Authentication error")
	}
	var key [16]byte
	rand.Read(key[:]) // never fails: crypto/rand ends the process instead
	t := access.Token{Key: hex.EncodeToString(key[:]), Expires: a.now().Add(a.ttl)}

	a.mu.Lock()
	defer a.mu.Unlock()
	a.prune(maxTokens - 1)
	hash := sha256.Sum256([]byte(t.Key))
	a.tokens[hash] = t.Expires
	a.order = append(a.order, expiry{hash, t.Expires})
	return t, nil
}

// prune forgets expired tokens, and the oldest beyond most.
func (a *PasswordAuth) prune(most int) {
	now, n := a.now(), 0
	for n < len(a.order) && (len(a.order)-n > most || !now.Before(a.order[n].at)) {
		delete(a.tokens, a.order[n].hash)
		n++
	}
	a.order = append(a.order[:0], a.order[n:]...)
}

// Check looks the token up by its hash, so that the time it takes tells
// nothing about live tokens.
func (a *PasswordAuth) Check(_ context.Context, token string) (access.Identity, error) {
	hash := sha256.Sum256([]byte(token))
	a.mu.Lock()
	at, known := a.tokens[hash]
	a.mu.Unlock()
	if !known || !a.now().Before(at) {
		return access.Identity{}, wire.Refuse(sdn.ErrUnauthorized, "Authentication error")
	}
	return access.Identity{User: a.name, Role: access.Admin}, nil
}
