package node

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/topology"
	"github.com/moatnet/moat/sdn/wire"
)

// certify writes a certificate for loopback that signs itself, and its key.
func certify(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP(here)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	require.NoError(t, err)
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return cert, key
}

// here is an address that nobody else listens on, so that a free port stays free.
const here = "127.77.0.1"

// restConfig is that of an SDN server on a free port.
func restConfig(t *testing.T, change func(*config.Raw)) config.Config {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", here+":0")
	require.NoError(t, err)
	raw := config.Defaults()
	raw.Listen, raw.DataDir, raw.MTU = l.Addr().String(), t.TempDir(), 1500
	require.NoError(t, l.Close())
	change(&raw)
	c, err := raw.Valid()
	require.NoError(t, err)
	return c
}

func TestUsersOfTheRESTAPIOverTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := certify(t, dir, "server")
	clientCert, clientKey := certify(t, dir, "client")
	c := restConfig(t, func(r *config.Raw) {
		r.TLS = config.RawTLS{CertFile: cert, KeyFile: key, ClientCAFile: clientCert}
	})
	log := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- SDN(ctx, c, log) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })

	at := config.Endpoint{
		URLs: []string{"https://" + c.Listen + "/midonet-api"}, Username: config.BuiltinUser, CAFile: cert, CertFile: clientCert, KeyFile: clientKey,
		PasswordFile: filepath.Join(c.DataDir, "admin.password"),
	}
	require.Eventually(t, func() bool {
		admin, err := newClient(at, log)
		if err != nil {
			return false // the daemon has not written the password yet
		}
		defer admin.Close()
		_, err = admin.CreateRouter(t.Context(), sdn.Router{ID: "b9b4b8c0-0000-4000-8000-000000000001", TenantID: "blue"})
		return err == nil
	}, 30*time.Second, 50*time.Millisecond)

	hash, err := auth.Hash("a password")
	require.NoError(t, err)
	require.NoError(t, auth.AddUser(c.Users.File, auth.User{Name: "ann", Hash: hash, Tenant: "red", Role: access.TenantAdmin}, false))
	at.Username, at.PasswordFile = "ann", filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(at.PasswordFile, []byte("a password\n"), 0o600))
	ann, err := newClient(at, log)
	require.NoError(t, err)
	defer ann.Close()
	made, err := ann.CreateRouter(t.Context(), sdn.Router{Name: "r"})
	require.NoError(t, err)
	require.Equal(t, sdn.TenantID("red"), made.TenantID)
	_, err = ann.CreateRouter(t.Context(), sdn.Router{TenantID: "blue"})
	require.ErrorIs(t, err, sdn.ErrForbidden)
	routers, err := ann.Routers(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, routers, 1)
	require.NoError(t, auth.RemoveUser(c.Users.File, "ann"))
	_, err = ann.Routers(t.Context(), "")
	require.ErrorIs(t, err, sdn.ErrUnauthorized)

	at.CertFile, at.KeyFile = "", ""
	none, err := newClient(at, log)
	require.NoError(t, err)
	defer none.Close()
	short, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	_, err = none.Routers(short, "")
	require.Error(t, err, "no certificate")
	require.NotErrorIs(t, err, sdn.ErrUnauthorized, "a password is not asked for")
}

// The configuration's release is what clients meet: the root says so, and a
// router of 1.9 without a name is refused.
func TestReleaseOfTheRESTAPI(t *testing.T) {
	for release, want := range map[string]struct {
		version string
		status  int
	}{"5": {"v5.0", http.StatusCreated}, "1.9": {"v1.9", http.StatusBadRequest}} {
		top := topology.NewMemory(topology.Options{})
		t.Cleanup(func() { require.NoError(t, top.Close()) })
		s := &sdnPart{topology: top, password: "p", log: slog.New(slog.DiscardHandler)}
		require.NoError(t, s.openREST(restConfig(t, func(r *config.Raw) { r.API.Release = release })))
		rest := httptest.NewServer(s.rest.Handler)
		t.Cleanup(rest.Close)
		c := resty.New().SetBaseURL(rest.URL+server.DefaultBase).SetHeader("Accept", wire.JSON).SetHeader("Content-Type", wire.JSON)
		var token struct{ Key string }
		login, err := c.R().SetContext(t.Context()).SetBasicAuth(config.BuiltinUser, "p").Post("/login")
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(login.Body(), &token))
		c.SetHeader("X-Auth-Token", token.Key)
		var root struct{ Version string }
		got, err := c.R().SetContext(t.Context()).Get("/")
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(got.Body(), &root))
		require.Equal(t, want.version, root.Version)
		made, err := c.R().SetContext(t.Context()).SetBody(`{"tenantId":"red"}`).Post("/routers")
		require.NoError(t, err)
		require.Equal(t, want.status, made.StatusCode(), made.String())
	}
}

// What cannot be read ends a start before anything is served, and is named.
func TestRESTAPIThatCannotBeServed(t *testing.T) {
	dir := t.TempDir()
	cert, key := certify(t, dir, "server")
	open := filepath.Join(dir, "open")
	require.NoError(t, os.WriteFile(open, nil, 0o644))
	keystone := func(r *config.Raw) {
		r.Keystone.URL, r.Keystone.Username, r.Keystone.Project, r.Keystone.PasswordFile = "https://127.0.0.1:1/v3", "u", "p", key
	}
	for want, change := range map[string]func(*config.Raw){
		"TLS":                   func(r *config.Raw) { r.TLS = config.RawTLS{CertFile: cert, KeyFile: filepath.Join(dir, "none")} },
		"users file":            func(r *config.Raw) { r.Users.File = open },
		"keystone.passwordFile": func(r *config.Raw) { keystone(r); r.Keystone.PasswordFile = open },
		"keystone.caFile":       func(r *config.Raw) { keystone(r); r.Keystone.CAFile = key },
	} {
		s := &sdnPart{password: "p", log: slog.New(slog.DiscardHandler)}
		require.ErrorContains(t, s.openREST(restConfig(t, change)), want)
	}
	for want, e := range map[string]config.Endpoint{
		"endpoint's CA certificates": {PasswordFile: key, CAFile: key},
		"client certificate":         {PasswordFile: key, CertFile: cert, KeyFile: cert},
	} {
		_, err := newClient(e, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, want)
	}
}
