package auth

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzUsersFile(f *testing.F) {
	f.Add([]byte(`{"name":"ann","hash":"$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA","tenant":"red","role":"tenant_user"}` + "\n"))
	f.Add([]byte(`{"name":"bob","hash":"$2a$04$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","role":"admin"}`))
	f.Add([]byte(`{"name":"x","hash":"$argon2id$v=19$m=4294967295,t=0,p=255$$","role":"admin"}`))
	f.Add([]byte("\n{}\n[]\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		users, err := parseUsers(text)
		if err != nil {
			return
		}
		for _, u := range users {
			require.NoError(t, u.whole())
			verify, err := parseHash(u.Hash)
			require.NoError(t, err)
			if len(u.Hash) != bcryptBytes { // bcrypt's cost may be high
				verify("x")
			}
		}
	})
}

func FuzzKeystoneToken(f *testing.F) {
	f.Add([]byte(`{"token":{"expires_at":"2030-01-01T00:00:00.000000Z","user":{"id":"u","name":"n"},"project":{"id":"p","name":"q","domain":{"id":"default"}},"roles":[{"name":"admin"}]}}`))
	f.Add([]byte(`{"token":{"expires_at":"2030-01-01T00:00:00Z","user":{"id":"u"},"roles":[null,{}],"project":null}}`))
	f.Add([]byte(`{"token":null}`))
	k := NewKeystone(KeystoneOptions{Domain: "default", AdminRole: "admin", TenantAdminRole: "ta", TenantUserRole: "tu"})
	f.Fuzz(func(t *testing.T, body []byte) {
		shown, ok := readToken(body)
		if !ok {
			return
		}
		who := k.identity(shown)
		if who.Role != "" {
			require.NotEmpty(t, who.Tenant, "a role is one in a project")
		}
	})
}
