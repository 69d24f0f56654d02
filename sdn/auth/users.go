package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
)

const (
	// hashesAtOnce and hashesWaiting bound what logins take at any time: 18 MiB
	// of memory, and a few seconds for the last one in the queue.
	hashesAtOnce, hashesWaiting = 2, 64
	// defaultTTL is how long a token holds when nothing else is said.
	defaultTTL = 24 * time.Hour
)

// Options of Users.
type Options struct {
	// TTL is how long a token holds; 0: 24 h.
	TTL time.Duration
	// Admin is a user beside those of the file, which must not name one of the
	// same name; nil: none.
	Admin *PasswordAuth
	// Logger hears when the file is read again, and when it cannot be; nil
	// logs nothing. It is given no hash, password or token.
	Logger *slog.Logger
}

// Users are those of a file. The file is read again when it changes: whoever was
// taken out of it, or whose line is another now, is logged out. A file that is
// broken changes nothing until it is repaired.
type Users struct {
	path   string
	admin  *PasswordAuth
	tokens *tokens
	hashes gate
	log    *slog.Logger

	mu      sync.Mutex
	seen    fs.FileInfo // the file as it was read last, or tried; nil: not there
	trouble string      // with the file, as the log was told
	byName  map[string]known
}

// known is a user with what is computed from their line once.
type known struct {
	User
	verify verifier
	stamp  digest // of the line
}

var _ access.Authenticator = (*Users)(nil)

// OpenUsers reads the file. One that is not there yet has no users.
func OpenUsers(path string, o Options) (*Users, error) {
	if o.TTL == 0 {
		o.TTL = defaultTTL
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	u := &Users{path: path, admin: o.Admin, tokens: newTokens(o.TTL), hashes: newGate(hashesAtOnce, hashesWaiting), log: o.Logger}
	if err := u.read(); err != nil {
		return nil, err
	}
	return u, nil
}

// read replaces what is known by what the file says.
func (u *Users) read() error {
	users, was, err := readUsers(u.path)
	if was != nil || err == nil {
		u.seen = was
	}
	if err != nil {
		return err
	}
	byName := make(map[string]known, len(users))
	for _, one := range users {
		if u.admin != nil && one.Name == u.admin.name {
			return fmt.Errorf("users file %s: user %s is built in: %w", u.path, one.Name, sdn.ErrInvalid)
		}
		verify, err := parseHash(one.Hash)
		if err != nil {
			return fmt.Errorf("users file %s: user %s: hash: %w", u.path, one.Name, err)
		}
		line := fmt.Sprintf("%q %q %q %q", one.Name, one.Hash, one.Tenant, one.Role)
		byName[one.Name] = known{User: one, verify: verify, stamp: sha256.Sum256([]byte(line))}
	}
	for name, was := range u.byName {
		if now, is := byName[name]; !is || now.stamp != was.stamp {
			u.tokens.end(name) // also should the same line come back
		}
	}
	u.byName = byName
	return nil
}

// find returns a user as the file says now.
func (u *Users) find(name string) (known, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.current() {
		u.reread()
	}
	one, is := u.byName[name]
	return one, is
}

// reread says once what is wrong with the file.
func (u *Users) reread() {
	err := u.read()
	switch {
	case err == nil:
		u.trouble = ""
		u.log.Info("users read again", "file", u.path, "users", len(u.byName))
	case err.Error() != u.trouble:
		u.trouble = err.Error()
		u.log.Error("users stay as they were: the file cannot be used", "err", err)
	}
}

// current reports whether the file is what was seen last.
func (u *Users) current() bool {
	now, err := os.Stat(u.path)
	if err != nil {
		return u.seen == nil && errors.Is(err, fs.ErrNotExist)
	}
	return u.seen != nil && os.SameFile(now, u.seen) && now.Size() == u.seen.Size() &&
		now.ModTime().Equal(u.seen.ModTime()) && now.Mode() == u.seen.Mode()
}

// Knows reports whether a user is one of these.
func (u *Users) Knows(name string) bool {
	if u.admin != nil && name == u.admin.name {
		return true
	}
	_, is := u.find(name)
	return is
}

// Login takes as long for an unknown user as for a wrong password. The project
// is not looked at: a user has one tenant.
func (u *Users) Login(ctx context.Context, c access.Credentials) (access.Token, error) {
	if u.admin != nil && c.User == u.admin.name {
		return u.admin.Login(ctx, c)
	}
	if len(c.Password) > maxPassword {
		return access.Token{}, errRefused
	}
	one, is := u.find(c.User)
	right := false
	err := u.hashes.pass(ctx, func() {
		if is {
			right = one.verify(c.Password)
		} else {
			spend(c.Password)
		}
	})
	if err != nil {
		return access.Token{}, err
	}
	if !right {
		return access.Token{}, errRefused
	}
	return u.tokens.give(one.Name, one.stamp), nil
}

// Check knows the tokens of its own Login.
func (u *Users) Check(ctx context.Context, key string) (access.Identity, error) {
	if u.admin != nil {
		if who, err := u.admin.Check(ctx, key); err == nil {
			return who, nil
		}
	}
	name, stamp, found := u.tokens.find(key)
	if !found {
		return access.Identity{}, errRefused
	}
	one, is := u.find(name)
	if !is || one.stamp != stamp {
		return access.Identity{}, errRefused
	}
	return access.Identity{User: one.Name, Tenant: one.Tenant, Role: one.Role}, nil
}
