package doctor

import (
	"context"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/audit"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/server"
)

// answers is a daemon that says what a test wants.
type answers struct {
	control.Operations
	status    control.Status
	err       error
	addresses []audit.Address
	audited   control.AuditReport
	topology  control.Topology
}

func (a *answers) Status(context.Context) (control.Status, error) { return a.status, a.err }
func (a *answers) Addresses(context.Context, control.AddressQuery) ([]audit.Address, error) {
	return a.addresses, a.err
}
func (a *answers) Audit(context.Context, control.AuditRequest) (control.AuditReport, error) {
	return a.audited, a.err
}
func (a *answers) Topology(context.Context, string) (control.Topology, error) {
	return a.topology, a.err
}

// patient is a node that is examined.
type patient struct {
	*answers
	t    *testing.T
	lab  *lab.Lab
	host *lab.Namespace
	o    Options
}

// newPatient is a healthy one.
func newPatient(t *testing.T) *patient {
	l, err := lab.New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	p := &patient{t: t, lab: l, answers: &answers{status: control.Status{Ready: true, Engine: true, Installation: uuid.NewString()}}}
	p.host, err = l.Namespace("host")
	require.NoError(t, err)
	dir := t.TempDir()
	p.o = Options{Now: time.Now(), PluginDir: filepath.Join(dir, "bin"), ConfList: filepath.Join(dir, "net.d", "10-moat.conflist"),
		Operations: func(_ context.Context, f func(control.Operations) error) error { return f(p) }}
	p.o.Config = config.Config{DataDir: filepath.Join(dir, "data"), Socket: filepath.Join(dir, "moat.sock"), RunNetns: filepath.Join(l.Dir, "netns"),
		Endpoint: config.Endpoint{URLs: []string{"http://elsewhere"}}}
	for _, folder := range []string{p.o.PluginDir, filepath.Dir(p.o.ConfList), filepath.Join(p.o.Config.DataDir, "tombstones")} {
		require.NoError(t, os.MkdirAll(folder, 0o700))
	}
	require.NoError(t, os.Chmod(p.o.Config.DataDir, 0o700))
	p.write(p.o.ConfList, fmt.Sprintf(`{"plugins":[{"type":"moat-cni","socket":%q}]}`, p.o.Config.Socket), 0o644)
	own, err := os.Executable()
	require.NoError(t, err)
	for _, name := range []string{"moat-cni", "moat-ipam"} {
		require.NoError(t, os.Symlink(own, filepath.Join(p.o.PluginDir, name)))
	}
	router := sdn.NewID[sdn.RouterID]()
	shown := control.Router{Router: sdn.Router{ID: router, Name: "red router"}, Namespace: sdn.NamespaceName(sdn.DeviceID(router))}
	p.topology.Routers = []control.Router{shown}
	p.pin(shown.Namespace)
	return p
}

// pin makes a namespace with the installation's stamp.
func (p *patient) pin(name string) {
	p.t.Helper()
	ns, err := p.lab.Namespace(name)
	require.NoError(p.t, err)
	require.NoError(p.t, ns.Do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetAlias(lo, sdn.Stamp(p.status.Installation, "router", "x"))
	}))
	require.NoError(p.t, os.MkdirAll(p.o.Config.RunNetns, 0o755))
	require.NoError(p.t, os.Symlink(ns.Path, filepath.Join(p.o.Config.RunNetns, name)))
}

func (p *patient) write(path, text string, mode os.FileMode) {
	p.t.Helper()
	require.NoError(p.t, os.WriteFile(path, []byte(text), mode))
	require.NoError(p.t, os.Chmod(path, mode))
}

func certificate(s *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func (p *patient) examine() (r Report) {
	p.t.Helper()
	require.NoError(p.t, p.host.Do(func() error { r = Examine(p.t.Context(), p.o); return nil }))
	return r
}

func TestNothingIsFoundOfAHealthyNode(t *testing.T) {
	p := newPatient(t)
	r := p.examine()
	require.Empty(t, r.Findings)
	require.Empty(t, r.Unseen)
	require.True(t, r.Healthy)
	files, err := os.ReadDir(p.o.Config.RunNetns)
	require.NoError(t, err)
	require.Len(t, files, 1, "what was tried is removed")
}

func TestEachFaultIsFoundAlone(t *testing.T) {
	for name, c := range map[string]struct {
		plant         func(*patient)
		check, repair string
	}{
		"the daemon cannot serve": {func(p *patient) { p.status.Ready, p.status.Reason = false, "etcd is away" }, "daemon", "restart moat up"},
		"etcd warns":              {func(p *patient) { p.status.Warnings = []string{"etcd: alarm NOSPACE"} }, "etcd and SDN", "etcdctl"},
		"a clock is ahead": {func(p *patient) {
			p.addresses = []audit.Address{{Scope: ipam.Scope{Kind: ipam.TenantScope, Name: "red"}, Address: netip.MustParseAddr("10.128.0.2"), Since: p.o.Now.Add(time.Hour)}}
		}, "clock", "timedatectl"},
		"an attachment without interface": {func(p *patient) {
			p.audited.Findings = []control.AuditResult{{Finding: audit.Finding{Kind: audit.NoInterface, What: "pod red/one has none", Remedy: audit.Restore}}}
		}, "addresses and pods", "moat ip audit --repair"},
		"a port that is bound to something else": {func(p *patient) {
			p.audited.Findings = []control.AuditResult{{Finding: audit.Finding{Kind: audit.OtherPort, What: "port x", Remedy: audit.ByHand, Hint: "bind it as it was, or delete the pod"}}}
		}, "addresses and pods", "delete the pod"},
		"a router without namespace": {func(p *patient) {
			require.NoError(p.t, os.Remove(filepath.Join(p.o.Config.RunNetns, p.topology.Routers[0].Namespace)))
		}, "routers", "engine"},
		"a namespace without router": {func(p *patient) { p.pin("moat-0123456789a") }, "routers", "ip netns delete moat-0123456789a"},
		"a chain that drops":         {func(p *patient) { require.NoError(p.t, p.host.ForwardDrop()) }, "forwarding", "nft insert rule ip filter FORWARD"},
		"no CNI configuration":       {func(p *patient) { require.NoError(p.t, os.Remove(p.o.ConfList)) }, "CNI configuration", "moat up"},
		"a broken CNI configuration": {func(p *patient) { p.write(p.o.ConfList, "{", 0o644) }, "CNI configuration", "moat up"},
		"another daemon's socket":    {func(p *patient) { p.o.Config.Socket += "2" }, "CNI configuration", "moat up"},
		"another network comes first": {func(p *patient) { p.write(filepath.Join(filepath.Dir(p.o.ConfList), "05-other.conf"), "{}", 0o644) },
			"CNI configuration", "05-other.conf.disabled"},
		"no plugin": {func(p *patient) { require.NoError(p.t, os.Remove(filepath.Join(p.o.PluginDir, "moat-cni"))) }, "plugins", "install -m 755 bin/moat-cni"},
		"a plugin that is no program": {func(p *patient) {
			path := filepath.Join(p.o.PluginDir, "moat-ipam")
			require.NoError(p.t, os.Remove(path))
			p.write(path, "#!/bin/sh\n", 0o755)
		}, "plugins", "install -m 755 bin/moat-ipam"},
		"a plugin of another version": {func(p *patient) {
			path := filepath.Join(p.o.PluginDir, "moat-ipam")
			require.NoError(p.t, os.Remove(path))
			other, err := exec.LookPath("go")
			require.NoError(p.t, err)
			other, err = filepath.EvalSymlinks(other)
			require.NoError(p.t, err)
			require.NoError(p.t, os.Symlink(other, path))
		}, "plugins", "install -m 755 bin/moat-ipam"},
		"an old debt": {func(p *patient) {
			path := filepath.Join(p.o.Config.DataDir, "tombstones", "a.json")
			p.write(path, "{}", 0o600)
			require.NoError(p.t, os.Chtimes(path, time.Time{}, p.o.Now.Add(-time.Hour)))
		}, "debts", "moat status"},
		"a certificate that ends": {func(p *patient) {
			s := httptest.NewTLSServer(http.NotFoundHandler())
			defer s.Close()
			p.o.Config.TLS.CertFile = filepath.Join(p.t.TempDir(), "cert.pem")
			p.write(p.o.Config.TLS.CertFile, certificate(s), 0o644)
			p.o.Now = s.Certificate().NotAfter.Add(-time.Hour)
		}, "certificates", "replace"},
		"a password that others read": {func(p *patient) { p.write(filepath.Join(p.o.Config.DataDir, "admin.password"), "x", 0o640) }, "secrets", "chmod 0600"},
		"a data directory for all":    {func(p *patient) { require.NoError(p.t, os.Chmod(p.o.Config.DataDir, 0o755)) }, "secrets", "chmod 0700"},
		"a socket for all":            {func(p *patient) { p.write(p.o.Config.Socket, "", 0o666) }, "secrets", "chmod 0660"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPatient(t)
			c.plant(p)
			r := p.examine()
			require.Len(t, r.Findings, 1, "%+v", r)
			require.Equal(t, c.check, r.Findings[0].Check)
			require.Contains(t, r.Findings[0].Repair, c.repair)
			require.NotEmpty(t, r.Findings[0].What)
			require.False(t, r.Healthy)
		})
	}
}

// What the engine has done, and a debt that is paid soon, is nothing.
func TestWhatIsNoFault(t *testing.T) {
	p := newPatient(t)
	p.write(filepath.Join(p.o.Config.DataDir, "tombstones", "a.json"), "{}", 0o600)
	p.write(filepath.Join(filepath.Dir(p.o.ConfList), "99-later.conf"), "{}", 0o644)
	p.write(filepath.Join(filepath.Dir(p.o.ConfList), "00-notes.txt"), "", 0o644)
	require.NoError(t, os.MkdirAll(filepath.Join(p.o.Config.RunNetns, "moat-ffffffffff0"), 0o755)) // another installation's, or nobody's
	require.Empty(t, p.examine().Findings)
}

func TestWithoutTheDaemonTheRestIsExamined(t *testing.T) {
	p := newPatient(t)
	p.err = fmt.Errorf("%w: nothing answers", control.ErrNotRunning)
	require.NoError(t, os.Remove(p.o.ConfList))
	r := p.examine()
	var checks, unseen []string
	for _, f := range r.Findings {
		checks = append(checks, f.Check)
	}
	for _, u := range r.Unseen {
		unseen = append(unseen, u.Check)
		require.Equal(t, errAway.Error(), u.Why)
	}
	require.Equal(t, []string{"daemon", "CNI configuration"}, checks)
	require.Equal(t, []string{"etcd and SDN", "clock", "addresses and pods", "routers", "forwarding"}, unseen)
}

func TestLoginIsTried(t *testing.T) {
	refuse := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer refuse.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := free.Addr().String()
	require.NoError(t, free.Close())
	for listen, want := range map[string]string{nobody: "does not answer", strings.TrimPrefix(refuse.URL, "http://"): "does not let admin in"} {
		p := newPatient(t)
		p.o.Config.Endpoint.URLs, p.o.Config.Listen = nil, listen
		p.write(filepath.Join(p.o.Config.DataDir, "admin.password"), "secret\n", 0o600)
		x := &examination{Options: p.o, status: &p.status}
		require.NoError(t, x.login(t.Context()))
		require.Len(t, x.report.Findings, 1)
		require.Contains(t, x.report.Findings[0].What, want)
		require.NotContains(t, x.report.Findings[0].What, "secret")
	}
}

// With TLS the daemon is known by the certificate that the configuration names; one
// that asks for a client's certificate is left to its clients.
func TestLoginIsTriedOverTLS(t *testing.T) {
	api := httptest.NewUnstartedServer(server.New(server.Options{
		API: sdntest.NewMemory(t), Auth: auth.NewPasswordAuth("admin", "secret", time.Hour)}))
	api.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	api.StartTLS()
	defer api.Close()
	old := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("old")})
	for name, c := range map[string]struct {
		file     string
		password string
		clientCA string
		want     string
	}{
		"as it should be":       {certificate(api), "secret", "", ""},
		"another password":      {certificate(api), "other", "", "does not let admin in"},
		"another certificate":   {string(old), "secret", "", "another certificate than the first one in tls.certFile"},
		"clients' certificates": {certificate(api), "other", "ca.pem", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPatient(t)
			p.o.Config.Endpoint.URLs, p.o.Config.Listen = nil, api.Listener.Addr().String()
			p.o.Config.TLS = config.TLS{CertFile: filepath.Join(t.TempDir(), "cert.pem"), ClientCAFile: c.clientCA}
			p.write(p.o.Config.TLS.CertFile, c.file, 0o600)
			p.write(filepath.Join(p.o.Config.DataDir, "admin.password"), c.password+"\n", 0o600)
			x := &examination{Options: p.o, status: &p.status}
			require.NoError(t, x.login(t.Context()))
			if c.want == "" {
				require.Empty(t, x.report.Findings)
				return
			}
			require.Len(t, x.report.Findings, 1)
			require.Contains(t, x.report.Findings[0].What, c.want)
		})
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	p := newPatient(t)
	p.o.Config.Etcd.CAFile = filepath.Join(t.TempDir(), "none")
	r := p.examine()
	require.Empty(t, r.Findings)
	require.False(t, r.Healthy)
	require.Len(t, r.Unseen, 1)
	require.Contains(t, r.Unseen[0].Why, "etcd.caFile")
}
