package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"time"

	"github.com/moatnet/moat/ipam"
)

// Config is a valid configuration.
type Config struct {
	Name       string // of the installation
	DataDir    string
	Socket     string
	Listen     string // address of the REST API
	CNIConfDir string // "" writes no CNI configuration
	Node       string

	Supernet    netip.Prefix
	TenantBits  int // prefix length of a tenant's subnet
	TransitPool netip.Prefix
	CoolDown    time.Duration  // how long a tenant's address rests before it is leased again; 0: not at all
	NoNAT       []netip.Prefix // further destinations that are not translated
	Networks    ipam.Networks  // further pools, own subnets, networks of others
	Tenants     map[string]Tenant
	MTU         int    // bytes; 0: the uplink's
	AnySender   bool   // pods may send frames as others
	Uplink      string // interface; "" is a veth pair to the host
	// UplinkAddress and UplinkGateway are the provider router's on Uplink.
	UplinkAddress netip.Prefix
	UplinkGateway netip.Addr
	HostID        string // UUID of the host in the topology; "": the data directory's
	RunNetns      string // where namespaces are pinned
	Etcd          Etcd
	Endpoint      Endpoint
	API           API
	Users         Users
	Keystone      Keystone
	TLS           TLS
	Limits        Limits
	NetworkSource NetworkSource
	Kubernetes    Kubernetes
	LogFormat     string // text or json
	LogLevel      string
	EtcdQuota     int64 // bytes, of the embedded etcd
	EtcdRevision  int   // revisions that the embedded etcd keeps
}

// Etcd is an external etcd; no endpoints means the embedded one.
type Etcd struct {
	Endpoints    []string
	CAFile       string
	CertFile     string
	KeyFile      string
	Username     string
	PasswordFile string
	Prefix       string
}

// Endpoint is a REST API other than the daemon's own.
type Endpoint struct {
	URLs         []string
	Username     string
	PasswordFile string
	Project      string
	CAFile       string
	CertFile     string // of this client, where the endpoint wants one
	KeyFile      string
}

// Defaults is the configuration of `moat up` without a flag or a file.
func Defaults() Raw {
	return Raw{
		Name:          "moat",
		DataDir:       "/var/lib/moat",
		Socket:        "/run/moat/moat.sock",
		Listen:        "127.0.0.1:8181",
		CNIConfDir:    "/etc/cni/net.d",
		Supernet:      "10.128.0.0/9",
		TenantPrefix:  22,
		TransitPool:   "100.64.0.0/16",
		CoolDown:      "60s",
		RawRanges:     defaultRanges(),
		PortSecurity:  true,
		NetnsDir:      "/run/netns",
		Etcd:          RawEtcd{Prefix: "/moat/"},
		Endpoint:      RawEndpoint{Username: BuiltinUser},
		API:           defaultAPI(),
		Users:         defaultUsers(),
		Keystone:      defaultKeystone(),
		Limits:        defaultLimits(),
		NetworkSource: defaultNetworkSource(),
		Kubernetes:    defaultKubernetes(),
		Log:           RawLog{Format: "text", Level: "info"},
	}
}

var nameForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$`)

// Valid checks every value and returns the configuration, or an error that
// names the key.
func (r Raw) Valid() (Config, error) {
	c := Config{
		Name: r.Name, DataDir: r.DataDir, Socket: r.Socket, Listen: r.Listen, CNIConfDir: r.CNIConfDir,
		Node: r.Node, HostID: r.HostID, TenantBits: r.TenantPrefix, MTU: r.MTU, AnySender: !r.PortSecurity, Uplink: r.Uplink, RunNetns: r.NetnsDir,
		Etcd: Etcd(r.Etcd), Endpoint: Endpoint(r.Endpoint), LogFormat: r.Log.Format, LogLevel: r.Log.Level,
		EtcdQuota: r.Embedded.QuotaBytes, EtcdRevision: r.Embedded.Revisions,
	}
	checks := []func(*Config, Raw) error{validNames, validPaths, validNetworks, validRanges, validUplink, validEtcd, validLog,
		validAPI, validUsers, validKeystone, validTLS, validLimits,
		validNetworkSource, validKubernetes}
	for _, check := range checks {
		if err := check(&c, r); err != nil {
			return Config{}, err
		}
	}
	return c, nil
}

func validNames(c *Config, _ Raw) error {
	if !nameForm.MatchString(c.Name) {
		return fmt.Errorf("name: %q is not a DNS label of at most 32 characters", c.Name)
	}
	if c.MTU != 0 && (c.MTU < 576 || c.MTU > 65535) {
		return fmt.Errorf("mtu: %d is not between 576 and 65535 bytes", c.MTU)
	}
	return nil
}

func validUplink(c *Config, r Raw) (err error) {
	if len(c.Uplink) > 15 {
		return fmt.Errorf("uplink: interface name %q is longer than 15 bytes", c.Uplink)
	}
	if (c.Uplink == "") != (r.UplinkAddress == "") || (c.Uplink == "") != (r.UplinkGateway == "") {
		return fmt.Errorf("uplink, uplinkAddress and uplinkGateway: give all or none")
	}
	if c.Uplink == "" {
		return nil
	}
	if c.UplinkAddress, err = netip.ParsePrefix(r.UplinkAddress); err != nil {
		return fmt.Errorf("uplinkAddress: %w", err)
	}
	if c.UplinkGateway, err = netip.ParseAddr(r.UplinkGateway); err != nil {
		return fmt.Errorf("uplinkGateway: %w", err)
	}
	if !c.UplinkAddress.Contains(c.UplinkGateway) {
		return fmt.Errorf("uplinkGateway: %s is not in %s", c.UplinkGateway, c.UplinkAddress.Masked())
	}
	return nil
}

func validPaths(c *Config, _ Raw) error {
	for key, path := range map[string]string{"dataDir": c.DataDir, "socket": c.Socket, "netnsDir": c.RunNetns} {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("%s: %q is not an absolute path", key, path)
		}
	}
	if len(c.Socket) > 100 {
		return fmt.Errorf("socket: the path has %d bytes, a unix socket's at most 100", len(c.Socket))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return nil
}

func validNetworks(c *Config, r Raw) (err error) {
	if c.Supernet, err = prefix4("supernet", r.Supernet); err != nil {
		return err
	}
	if c.TransitPool, err = prefix4("transitPool", r.TransitPool); err != nil {
		return err
	}
	if c.TenantBits <= c.Supernet.Bits() || c.TenantBits > 29 {
		return fmt.Errorf("tenantPrefix: /%d does not lie between the supernet's /%d and /29", c.TenantBits, c.Supernet.Bits())
	}
	if c.TransitPool.Bits() > 28 {
		return fmt.Errorf("transitPool: %s has no room for the uplink and two tenants, at least a /28 is needed", c.TransitPool)
	}
	if c.Supernet.Overlaps(c.TransitPool) {
		return fmt.Errorf("transitPool: %s overlaps the supernet %s", c.TransitPool, c.Supernet)
	}
	if c.CoolDown, err = time.ParseDuration(r.CoolDown); err != nil || c.CoolDown < 0 {
		return fmt.Errorf(`coolDown: %q is no duration such as "60s"; "0" is none`, r.CoolDown)
	}
	for i, s := range r.NoNAT {
		p, err := prefix4(fmt.Sprintf("noNAT[%d]", i), s)
		if err != nil {
			return err
		}
		c.NoNAT = append(c.NoNAT, p)
	}
	return nil
}

// Installation is the address plan that the configuration asks for.
func (c Config) Installation() ipam.Installation {
	return ipam.Installation{Name: c.Name, Supernet: c.Supernet, SubnetLength: c.TenantBits, Transit: c.TransitPool}
}

func prefix4(key, s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%s: %w", key, err)
	}
	if !p.Addr().Is4() {
		return p, fmt.Errorf("%s: %s is not IPv4", key, p)
	}
	if p != p.Masked() {
		return p, fmt.Errorf("%s: %s has bits set behind its length, did you mean %s?", key, p, p.Masked())
	}
	return p, nil
}

func validEtcd(c *Config, _ Raw) error {
	if (c.Etcd.CertFile == "") != (c.Etcd.KeyFile == "") {
		return fmt.Errorf("etcd.certFile and etcd.keyFile: give both or none")
	}
	if (c.Etcd.Username == "") != (c.Etcd.PasswordFile == "") {
		return fmt.Errorf("etcd.username and etcd.passwordFile: give both or none")
	}
	if p := c.Etcd.Prefix; len(p) < 3 || p[0] != '/' || p[len(p)-1] != '/' {
		return fmt.Errorf("etcd.prefix: %q does not begin and end with a slash", p)
	}
	if q := c.EtcdQuota; q != 0 && q < minQuota {
		return fmt.Errorf("embedded.quotaBytes: %d is less than %d (16 MiB); 0 means 2 GiB", q, minQuota)
	}
	if c.EtcdRevision < 0 {
		return fmt.Errorf("embedded.revisions: %d is negative; 0 means 10000", c.EtcdRevision)
	}
	return nil
}

// minQuota is what an embedded etcd needs for the topology of a full machine, in bytes.
const minQuota = 16 << 20

func validLog(c *Config, _ Raw) error {
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return fmt.Errorf("log.format: %q is neither text nor json", c.LogFormat)
	}
	switch c.LogLevel {
	case "debug", "info", "warn", "error":
		return nil
	}
	return fmt.Errorf("log.level: %q is none of debug, info, warn, error", c.LogLevel)
}
