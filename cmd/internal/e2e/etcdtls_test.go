package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
)

const tlsEndpoint = "https://127.0.0.1:2379"

// authority signs certificates into files of its directory.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = newKey(t)
	a.cert = a.sign("ca", tmpl, tmpl, a.key)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// issue makes NAME.pem and NAME.key for 127.0.0.1, as server and as client.
func (a *authority) issue(name string) {
	a.sign(name, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, a.cert, newKey(a.t))
}

func (a *authority) sign(name string, tmpl, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	raw, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), a.key)
	require.NoError(a.t, err)
	keyRaw, err := x509.MarshalECPrivateKey(key)
	require.NoError(a.t, err)
	for file, block := range map[string]*pem.Block{
		name + ".pem": {Type: "CERTIFICATE", Bytes: raw}, name + ".key": {Type: "EC PRIVATE KEY", Bytes: keyRaw},
	} {
		require.NoError(a.t, os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600))
	}
	cert, err := x509.ParseCertificate(raw)
	require.NoError(a.t, err)
	return cert
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// secret writes a password file.
func (a *authority) secret(name, password string) string {
	require.NoError(a.t, os.WriteFile(a.file(name), []byte(password+"\n"), 0o600))
	return a.file(name)
}

// serveEtcd runs an etcd on the host's loopback that wants a client certificate
// of a, and a user: "moat", who may touch nothing but /moat/.
func (n *node) serveEtcd(a *authority, password string) {
	t := n.t
	dir, err := os.MkdirTemp("", "etcd")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	c := embed.NewConfig()
	c.Dir = filepath.Join(dir, "data")
	clients, err := url.Parse(tlsEndpoint)
	require.NoError(t, err)
	peers := url.URL{Scheme: "unix", Path: filepath.Join(dir, "peer.sock")}
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{*clients}, []url.URL{*clients}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{peers}, []url.URL{peers}
	c.InitialCluster = c.Name + "=" + peers.String()
	c.ClientTLSInfo = transport.TLSInfo{CertFile: a.file("server.pem"), KeyFile: a.file("server.key"), TrustedCAFile: a.file("ca.pem"), ClientCertAuth: true}
	c.EnableGRPCGateway = false
	c.TickMs, c.ElectionMs = 10, 100
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	var etcd *embed.Etcd
	require.NoError(t, n.host.Do(func() (err error) {
		etcd, err = embed.StartEtcd(c)
		return err
	}))
	t.Cleanup(etcd.Close)
	<-etcd.Server.ReadyNotify()
	require.NoError(t, restrict(t.Context(), v3client.New(etcd.Server), password))
}

// restrict makes root and moat, and from then on demands a login.
func restrict(ctx context.Context, c *clientv3.Client, password string) error {
	defer c.Close()
	steps := []func() error{
		func() error { _, err := c.UserAdd(ctx, "root", "root-"+password); return err },
		func() error { _, err := c.RoleAdd(ctx, "root"); return err },
		func() error { _, err := c.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := c.UserAdd(ctx, "moat", password); return err },
		func() error { _, err := c.RoleAdd(ctx, "moat"); return err },
		func() error {
			_, err := c.RoleGrantPermission(ctx, "moat", "/moat/", clientv3.GetPrefixRangeEnd("/moat/"), clientv3.PermissionType(clientv3.PermReadWrite))
			return err
		},
		func() error { _, err := c.UserGrantRole(ctx, "moat", "moat"); return err },
		func() error { _, err := c.AuthEnable(ctx); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func newEtcdTLS(t *testing.T) (*node, *authority, []string) {
	n, a := newHost(t), newAuthority(t, "etcd CA")
	a.issue("server")
	a.issue("client")
	n.serveEtcd(a, "correct-horse")
	return n, a, []string{
		"--etcd-endpoints", tlsEndpoint, "--etcd-ca", a.file("ca.pem"), "--etcd-cert", a.file("client.pem"), "--etcd-key", a.file("client.key"),
		"--etcd-user", "moat", "--etcd-password-file", a.secret("password", "correct-horse"),
	}
}

func TestEtcdWithTLSUserAndPassword(t *testing.T) {
	n, a, args := newEtcdTLS(t)
	n.start(append(args, "--log-level", "debug")...)
	p := n.pod("red", "one")
	n.reaches(p.Namespace, p.Gateway)
	n.reaches(p.Namespace, outsideAddr.Addr())
	require.NoError(t, n.daemon.Kill())
	require.NoError(t, n.daemon.Start(t.Context()))
	require.NoError(t, n.rt.Check(t.Context(), p))
	require.NoError(t, n.rt.Del(t.Context(), p))
	n.cli("tenant", "delete", "red")
	n.keepsSecret("correct-horse", "")
	key, err := os.ReadFile(a.file("client.key"))
	require.NoError(t, err)
	n.keepsSecret(strings.Split(string(key), "\n")[1], "")
}

func TestEtcdThatRefusesUsIsSaidSo(t *testing.T) {
	n, a, args := newEtcdTLS(t)
	stranger := newAuthority(t, "another CA")
	stranger.issue("client")
	with := func(flag, value string) []string { return append(append([]string(nil), args...), flag, value) }
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"wrong password":            {with("--etcd-password-file", a.secret("wrong", "battery-staple")), "invalid user ID or password"},
		"unknown user":              {with("--etcd-user", "nobody"), "invalid user ID or password"},
		"no user":                   {args[:8], "permission denied"},
		"no client certificate":     {append(args[:4:4], args[8:]...), "certificate required"},
		"stranger's certificate":    {append(with("--etcd-cert", stranger.file("client.pem")), "--etcd-key", stranger.file("client.key")), "certificate"},
		"server of another CA":      {with("--etcd-ca", stranger.file("ca.pem")), "unknown authority"},
		"CA file that is not there": {with("--etcd-ca", a.file("none.pem")), "none.pem"},
		"a prefix that is not ours": {with("--etcd-prefix", "/other/"), "permission denied"},
		"no TLS at all":             {append([]string{"--etcd-endpoints", strings.Replace(tlsEndpoint, "https", "http", 1)}, args[8:]...), "the server speaks TLS, the endpoint says http: write " + tlsEndpoint},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			dir := filepath.Join(n.lab.Dir, strings.ReplaceAll(name, " ", "-"))
			cmd := exec.CommandContext(ctx, filepath.Join(bin, "moat"), append([]string{"up", "--data-dir", dir, "--socket", dir + ".sock",
				"--netns-dir", dir + "-netns", "--cni-conf-dir", dir + "-net.d"}, c.args...)...)
			var out []byte
			err := n.host.Do(func() (err error) {
				out, err = cmd.CombinedOutput()
				return err
			})
			var status *exec.ExitError
			require.True(t, errors.As(err, &status), "%v: %s", err, out)
			require.Equal(t, 1, status.ExitCode(), string(out))
			require.Contains(t, string(out), c.says)
			require.Contains(t, string(out), "etcd", "the message says whose answer it is")
			require.NotContains(t, string(out), "battery-staple")
			require.NoDirExists(t, dir+"-netns", "nothing was made")
		})
	}
}
