package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/wire"
)

func TestBadValuesNameTheirKey(t *testing.T) {
	for key, spoil := range map[string]func(*Raw){
		"name":                               func(r *Raw) { r.Name = "No Such" },
		"dataDir":                            func(r *Raw) { r.DataDir = "relative" },
		"socket":                             func(r *Raw) { r.Socket = "/" + string(make([]byte, 120)) },
		"listen":                             func(r *Raw) { r.Listen = "8181" },
		"supernet":                           func(r *Raw) { r.Supernet = "10.128.0.1/9" },
		"supernet: fd00::/8":                 func(r *Raw) { r.Supernet = "fd00::/8" },
		"tenantPrefix":                       func(r *Raw) { r.TenantPrefix = 30 },
		"tenantPrefix: /9":                   func(r *Raw) { r.TenantPrefix = 9 },
		"transitPool":                        func(r *Raw) { r.TransitPool = "100.64.0.0/29" },
		"transitPool: 10.200.0.0/16 o":       func(r *Raw) { r.TransitPool = "10.200.0.0/16" },
		"noNAT[1]":                           func(r *Raw) { r.NoNAT = []string{"10.0.0.0/24", "x"} },
		"coolDown":                           func(r *Raw) { r.CoolDown = "soon" },
		"coolDown: \"-1s\"":                  func(r *Raw) { r.CoolDown = "-1s" },
		"mtu":                                func(r *Raw) { r.MTU = 500 },
		"uplink":                             func(r *Raw) { r.Uplink = "a-very-long-interface" },
		"uplinkAddress":                      func(r *Raw) { r.Uplink, r.UplinkAddress, r.UplinkGateway = "eth1", "x", "192.0.2.1" },
		"uplinkGateway: 198.51.100.1 is not": func(r *Raw) { r.Uplink, r.UplinkAddress, r.UplinkGateway = "eth1", "192.0.2.2/24", "198.51.100.1" },
		"give all or none":                   func(r *Raw) { r.Uplink = "eth1" },
		"etcd.certFile":                      func(r *Raw) { r.Etcd.CertFile = "/c" },
		"etcd.username":                      func(r *Raw) { r.Etcd.Username = "u" },
		"embedded.quotaBytes":                func(r *Raw) { r.Embedded.QuotaBytes = 1 << 20 },
		"embedded.quotaBytes: -1":            func(r *Raw) { r.Embedded.QuotaBytes = -1 },
		"embedded.revisions: -1":             func(r *Raw) { r.Embedded.Revisions = -1 },
		"etcd.prefix":                        func(r *Raw) { r.Etcd.Prefix = "moat" },
		"log.format":                         func(r *Raw) { r.Log.Format = "xml" },
		"log.level":                          func(r *Raw) { r.Log.Level = "loud" },
		"api.release":                        func(r *Raw) { r.API.Release = "1.10" },
		"api.release: \"\"":                  func(r *Raw) { r.API.Release = "" },
		"users.file":                         func(r *Raw) { r.Users.File = "users" },
		"users.tokenLifetime":                func(r *Raw) { r.Users.TokenLifetime = "a day" },
		"users.tokenLifetime: 1s":            func(r *Raw) { r.Users.TokenLifetime = "1s" },
		"keystone.url":                       func(r *Raw) { r.Keystone.URL = "keystone:5000" },
		"keystone.url: \"http://u:p@h/v3\"":  func(r *Raw) { r.Keystone.URL = "http://u:p@h/v3" },
		"keystone.username":                  func(r *Raw) { r.Keystone.URL = "http://h/v3" },
		"keystone.passwordFile":              func(r *Raw) { keystone(r).PasswordFile = "" },
		"keystone.project":                   func(r *Raw) { keystone(r).Project = "" },
		"keystone.domain":                    func(r *Raw) { keystone(r).Domain = "" },
		"keystone.adminRole":                 func(r *Raw) { keystone(r).AdminRole = "" },
		"keystone.tenant:":                   func(r *Raw) { keystone(r).Tenant = "uuid" },
		"tls.certFile":                       func(r *Raw) { r.TLS.CertFile = "/c" },
		"tls.clientCAFile":                   func(r *Raw) { r.TLS.ClientCAFile = "/c" },
		"endpoint.certFile":                  func(r *Raw) { r.Endpoint.KeyFile = "/k" },
		"limits.connections":                 func(r *Raw) { r.Limits.Connections = 7 },
		"limits.requests":                    func(r *Raw) { r.Limits.Requests = 0 },
		"kubernetes.kubeconfig: \"k\"":       func(r *Raw) { r.Kubernetes.Kubeconfig = "k" },
		"give one of them alone":             func(r *Raw) { r.Kubernetes.Kubeconfig, r.Kubernetes.InCluster = "/k", true },
		"kubernetes.caFile":                  func(r *Raw) { r.Kubernetes.CAFile = "/ca" },
		"kubernetes.tokenFile":               func(r *Raw) { r.Kubernetes.InCluster, r.Kubernetes.TokenFile = true, "/t" },
		"kubernetes.server: \"10.0.0.1\"":    func(r *Raw) { r.Kubernetes.Server = "10.0.0.1" },
		"is not https":                       func(r *Raw) { r.Kubernetes.Server, r.Kubernetes.TokenFile = "http://h", "/t" },
		"must hold no password":              func(r *Raw) { r.Kubernetes.Server = "https://u:p@h" },
		"kubernetes.stickyFor: \"1 day\"":    func(r *Raw) { r.Kubernetes.StickyFor = "1 day" },
		"kubernetes.stickyFor: \"0\"":        func(r *Raw) { r.Kubernetes.StickyFor = "0" },
		"limits.requestTimeout":              func(r *Raw) { r.Limits.RequestTimeout = "30" },
	} {
		raw := Defaults()
		spoil(&raw)
		_, err := raw.Valid()
		require.ErrorContains(t, err, key)
	}
}

// keystone is a complete provider to be spoiled.
func keystone(r *Raw) *RawKeystone {
	r.Keystone.URL, r.Keystone.Username, r.Keystone.PasswordFile, r.Keystone.Project = "http://h/v3", "u", "/p", "service"
	return &r.Keystone
}

func TestKeysOfTheRESTAPI(t *testing.T) {
	raw := Defaults()
	keystone(&raw).Tenant = "name"
	raw.TLS = RawTLS{CertFile: "/c", KeyFile: "/k", ClientCAFile: "/ca"}
	c, err := raw.Valid()
	require.NoError(t, err)
	require.Equal(t, Users{File: "/var/lib/moat/users", TokenLifetime: 24 * time.Hour}, c.Users)
	require.Equal(t, Limits{Connections: 1024, Requests: 256, RequestTimeout: 30 * time.Second}, c.Limits)
	require.Equal(t, TLS{CertFile: "/c", KeyFile: "/k", ClientCAFile: "/ca"}, c.TLS)
	require.Equal(t, Keystone{
		URL: "http://h/v3", Username: "u", PasswordFile: "/p", Project: "service", Domain: "default", TenantByName: true,
		AdminRole: "admin", TenantAdminRole: "tenant_admin", TenantUserRole: "tenant_user",
	}, c.Keystone)
}

// YAML reads 1.9 without quotes as a number, which is taken for what it says.
func TestReleaseOfTheRESTAPI(t *testing.T) {
	for text, want := range map[string]wire.Release{"5": wire.V5, `"5"`: wire.V5, "1.9": wire.V1, `"1.9"`: wire.V1} {
		f := filepath.Join(t.TempDir(), "moat.yaml")
		require.NoError(t, os.WriteFile(f, []byte("api: {release: "+text+"}\n"), 0o600))
		raw, err := Defaults().ReadFile(f)
		require.NoError(t, err, text)
		c, err := raw.Valid()
		require.NoError(t, err, text)
		require.Equal(t, want, c.API.Release, text)
	}
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags := AddFlags(set)
	require.NoError(t, set.Parse([]string{"--api-release", "1.9"}))
	c, err := flags.Config()
	require.NoError(t, err)
	require.Equal(t, wire.V1, c.API.Release)
}

func TestUnknownKeyIsAnError(t *testing.T) {
	f := filepath.Join(t.TempDir(), "moat.yaml")
	require.NoError(t, os.WriteFile(f, []byte("name: a\nsupernett: 10.0.0.0/8\n"), 0o600))
	_, err := Defaults().ReadFile(f)
	require.ErrorContains(t, err, "supernett")
}

func TestReferenceConfigurationHoldsTheDefaults(t *testing.T) {
	fromFile, err := Raw{}.ReadFile("../../../../examples/moat.yaml")
	require.NoError(t, err)
	fromFile.NoNAT, fromFile.Etcd.Endpoints, fromFile.Endpoint.URLs = nil, nil, nil
	fromFile.NetworkSource.Namespaces = nil
	fromFile.Pools, fromFile.Namespaces.Pools, fromFile.Tenants = nil, nil, nil
	fromFile.ServiceNetworks, fromFile.NodeNetworks = nil, nil
	want := Defaults()
	want.Embedded = RawEmbedded{QuotaBytes: 2 << 30, Revisions: 10000}
	require.Equal(t, want, fromFile)
	_, err = fromFile.Valid()
	require.NoError(t, err)
}

func TestFlagsWinOverTheFile(t *testing.T) {
	f := filepath.Join(t.TempDir(), "moat.yaml")
	require.NoError(t, os.WriteFile(f, []byte("name: a\nmtu: 1400\netcd: {endpoints: [x]}\n"), 0o600))
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags := AddFlags(set)
	subcommand := pflag.NewFlagSet("", pflag.ContinueOnError) // parses what the root command has defined
	subcommand.AddFlagSet(set)
	require.NoError(t, subcommand.Parse([]string{"--config", f, "--name", "b", "--etcd-endpoints", "y,z"}))
	c, err := flags.Config()
	require.NoError(t, err)
	require.Equal(t, "b", c.Name)
	require.Equal(t, 1400, c.MTU)
	require.Equal(t, []string{"y", "z"}, c.Etcd.Endpoints)
	require.Equal(t, "/moat/", c.Etcd.Prefix)
}

// The README shows the reference configuration without its heading.
func TestReadmeShowsTheReferenceConfiguration(t *testing.T) {
	reference, err := os.ReadFile("../../../../examples/moat.yaml")
	require.NoError(t, err)
	_, keys, found := strings.Cut(string(reference), "\n\n")
	require.True(t, found)
	readme, err := os.ReadFile("../../../../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```yaml\n"+keys+"```")
}
