package auth_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/auth"
)

func bcryptOf(t *testing.T, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(t, err)
	return string(h)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func TestUsersFilesThatAreRefused(t *testing.T) {
	good := `{"name":"ann","hash":"` + bcryptOf(t, "p") + `","tenant":"red","role":"tenant_user"}`
	with := func(old, now string) string { return strings.Replace(good, old, now, 1) }
	argon := func(text string) string {
		return `{"name":"a","role":"admin","hash":"` + text + `"}`
	}
	const salt, sum = "c2FsdHNhbHRzYWx0", "AAAAAAAAAAAAAAAAAAAAAA"
	for want, text := range map[string]string{
		"unexpected EOF":              good + "\n{\n",
		"unknown field":               with(`"name"`, `"admin":true,"name"`),
		"more than one object":        good + " {}",
		`line 3: user ann stands in`:  good + "\n\n" + good,
		`role "root"`:                 with("tenant_user", "root"),
		`name ""`:                     with("ann", ""),
		`name "a:b"`:                  with("ann", "a:b"),
		`name "a\n"`:                  with("ann", `a\n`),
		"needs a tenant":              with("red", ""),
		`tenant "r\x00"`:              with("red", `r\u0000`),
		"neither argon2id nor bcrypt": with("$2a$", "$1$"),
		"cost 15":                     with("$2a$04", "$2a$15"),
		"argon2id: not of the form":   argon("$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + sum),
		"argon2id: parameters are no": argon("$argon2id$v=19$m=64,t=1,p=1x$" + salt + "$" + sum),
		"argon2id: parameters are ou": argon("$argon2id$v=19$m=1048576,t=1,p=1$" + salt + "$" + sum),
		"argon2id: bad salt":          argon("$argon2id$v=19$m=64,t=1,p=1$" + "AAAA" + "$" + sum),
		"argon2id: bad hash":          argon("$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + "AAAA"),
		"user admin is built in":      with("ann", "admin"),
		"more than 4194304 bytes":     strings.Repeat(" ", 4<<20) + good,
	} {
		path := filepath.Join(t.TempDir(), "users")
		write(t, path, text)
		_, err := auth.OpenUsers(path, auth.Options{Admin: auth.NewPasswordAuth("admin", "x", time.Hour)})
		require.ErrorContains(t, err, want, want)
		require.NotContains(t, err.Error(), "$2a$", "no hash is told")
	}
	path := filepath.Join(t.TempDir(), "users")
	write(t, path, good)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := auth.OpenUsers(path, auth.Options{})
		require.ErrorContains(t, err, "0600")
	}
	_, err := auth.OpenUsers(t.TempDir(), auth.Options{})
	require.ErrorContains(t, err, "must be a file")
}

func login(t *testing.T, a access.Authenticator, user, password string) string {
	t.Helper()
	token, err := a.Login(t.Context(), access.Credentials{User: user, Password: password})
	require.NoError(t, err)
	return token.Key
}

func TestLoginsOfUsers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	hash, err := auth.Hash("s3cret:word")
	require.NoError(t, err)
	require.NoError(t, auth.AddUser(path, auth.User{Name: "ann", Hash: hash, Tenant: "red", Role: access.TenantAdmin}, false))
	require.NoError(t, auth.AddUser(path, auth.User{Name: "bob", Hash: bcryptOf(t, "b"), Tenant: "red", Role: access.TenantUser}, false))
	// As `htpasswd -B` writes it, and as the argon2 program does, with parameters of its own.
	y := strings.Replace(bcryptOf(t, "y"), "$2a$", "$2y$", 1)
	require.NoError(t, auth.AddUser(path, auth.User{Name: "yan", Hash: y, Role: access.Admin}, false))
	const foreign = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	require.NoError(t, auth.AddUser(path, auth.User{Name: "ref", Hash: foreign, Tenant: "red", Role: access.Admin}, false))

	users, err := auth.OpenUsers(path, auth.Options{Admin: auth.NewPasswordAuth("admin", "a", time.Hour)})
	require.NoError(t, err)
	for _, c := range []access.Credentials{
		{}, {User: "ann"}, {User: "ann", Password: "s3cret:wor"}, {User: "Ann", Password: "s3cret:word"},
		{User: "bob", Password: "s3cret:word"}, {User: "admin", Password: "b"}, {User: "eve", Password: "b"},
		{User: "bob", Password: strings.Repeat("b", 2000)},
	} {
		_, err := users.Login(t.Context(), c)
		require.ErrorIs(t, err, sdn.ErrUnauthorized, c.User)
		require.EqualError(t, err, "Authentication error")
	}
	for user, c := range map[string]struct {
		password string
		want     access.Identity
	}{
		"ann":   {"s3cret:word", access.Identity{User: "ann", Tenant: "red", Role: access.TenantAdmin}},
		"bob":   {"b", access.Identity{User: "bob", Tenant: "red", Role: access.TenantUser}},
		"yan":   {"y", access.Identity{User: "yan", Role: access.Admin}},
		"ref":   {"password", access.Identity{User: "ref", Tenant: "red", Role: access.Admin}},
		"admin": {"a", access.Identity{User: "admin", Role: access.Admin}},
	} {
		who, err := users.Check(t.Context(), login(t, users, user, c.password))
		require.NoError(t, err, user)
		require.Equal(t, c.want, who)
		require.True(t, users.Knows(user))
	}
	require.False(t, users.Knows("eve"))
	_, err = users.Check(t.Context(), "00000000")
	require.ErrorIs(t, err, sdn.ErrUnauthorized)
}

func TestChangesOfTheFileEndTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	hash := bcryptOf(t, "p")
	line := func(name, tenant string) auth.User {
		return auth.User{Name: name, Hash: hash, Tenant: sdn.TenantID(tenant), Role: access.TenantAdmin}
	}
	var heard bytes.Buffer
	users, err := auth.OpenUsers(path, auth.Options{
		Admin: auth.NewPasswordAuth("admin", "a", time.Hour), Logger: slog.New(slog.NewTextHandler(&heard, nil)),
	})
	require.NoError(t, err, "no file yet")
	admin := login(t, users, "admin", "a")
	require.NoError(t, auth.AddUser(path, line("ann", "red"), false))
	require.NoError(t, auth.AddUser(path, line("bob", "red"), false))
	ann, bob := login(t, users, "ann", "p"), login(t, users, "bob", "p")
	holds := func(key string) bool {
		_, err := users.Check(t.Context(), key)
		return err == nil
	}

	require.NoError(t, auth.AddUser(path, line("ann", "blue"), true))
	require.False(t, holds(ann), "another tenant")
	require.True(t, holds(bob))
	require.NoError(t, auth.RemoveUser(path, "bob"))
	require.False(t, holds(bob))

	ann = login(t, users, "ann", "p")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	write(t, path, string(text)+"{")
	require.True(t, holds(ann), "a broken file changes nothing")
	require.Contains(t, heard.String(), "line 2")
	require.NotContains(t, heard.String(), hash)
	told := strings.Count(heard.String(), "level=ERROR")
	require.True(t, holds(ann))
	require.Equal(t, told, strings.Count(heard.String(), "level=ERROR"), "told once")
	write(t, path, string(text))
	require.True(t, holds(ann))
	require.NoError(t, os.Chmod(path, 0o644))
	require.True(t, holds(ann))
	require.Contains(t, heard.String(), "0600")
	require.NoError(t, os.Remove(path))
	require.False(t, holds(ann), "no file, no users")
	write(t, path, string(text))
	require.NoError(t, os.Chmod(path, 0o600))
	require.False(t, holds(ann), "back in the file, but logged out")
	require.True(t, holds(admin))
}

func TestEditsAreHeldToTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	ann := auth.User{Name: "ann", Hash: bcryptOf(t, "p"), Tenant: "red", Role: access.TenantAdmin}
	require.ErrorIs(t, auth.RemoveUser(path, "ann"), sdn.ErrNotFound)
	require.NoFileExists(t, path)
	require.ErrorIs(t, auth.AddUser(path, auth.User{Name: "x", Role: access.Admin}, false), sdn.ErrInvalid)
	require.NoError(t, auth.AddUser(path, ann, false))
	require.ErrorIs(t, auth.AddUser(path, ann, false), sdn.ErrExists)
	_, err := auth.Hash("")
	require.ErrorIs(t, err, sdn.ErrInvalid)
	_, err = auth.Hash(strings.Repeat("x", 1025))
	require.ErrorIs(t, err, sdn.ErrInvalid)

	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode())
	write(t, path, "{")
	require.Error(t, auth.AddUser(path, ann, true))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "{", string(text), "what cannot be read is not written over")
	require.Error(t, auth.AddUser(filepath.Join(t.TempDir(), "no", "users"), ann, false))
}

func TestConcurrentEditsLoseNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	hash := bcryptOf(t, "p")
	users, err := auth.OpenUsers(path, auth.Options{})
	require.NoError(t, err)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			name := fmt.Sprintf("u%d", i)
			if err := auth.AddUser(path, auth.User{Name: name, Hash: hash, Role: access.Admin}, false); err != nil {
				t.Error(err)
			}
			if _, err := users.Login(context.WithoutCancel(t.Context()), access.Credentials{User: name, Password: "p"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	list, err := auth.ReadUsers(path)
	require.NoError(t, err)
	require.Len(t, list, 40)
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	require.NoError(t, err)
	require.Empty(t, left, "no temporary file stays")
}
