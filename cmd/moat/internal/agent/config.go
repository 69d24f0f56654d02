package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/sdn"
)

const (
	reservedPrefix = "cni.dev/"
	ownIPAM        = "moat-ipam"
	dhcpIPAM       = "dhcp" // the reference's, which speaks by way of the pod's interface
	smallestMTU    = 576    // what every IPv4 host takes, RFC 791
	largestMTU     = 65535  // of an IPv4 packet
)

// Config is a network configuration that is valid: reference in README.
type Config struct {
	CNIVersion  string
	Name        string
	Standalone  bool
	MTU         int          // bytes; 0: the installation's
	Tenant      sdn.TenantID // of pods whose runtime names no namespace; "" the agent's default
	Credentials string       // file, for standalone mode
	LogLevel    string
	DNS         *dns   // nil: nothing is said
	ResolvConf  string // file that says it instead of DNS
	Routes      []netip.Prefix
	IPAM        string          // the plugin that makes addresses; "": Moat itself
	LinkFirst   bool            // the plugin of IPAM needs the interface
	PrevResult  json.RawMessage // what an earlier plugin of the chain printed; nil: none

	// capabilities and arguments are what the runtime asks for, at the keys
	// runtimeConfig and args.cni.
	capabilities, arguments requests
}

// rawConfig is the configuration as it is written.
type rawConfig struct {
	CNIVersion  string          `json:"cniVersion"`
	Name        string          `json:"name"`
	Type        string          `json:"type"`
	Socket      string          `json:"socket"`
	Standalone  bool            `json:"standalone"`
	MTU         int             `json:"mtu"`
	Tenant      string          `json:"tenant"`
	Credentials string          `json:"credentials"`
	LogLevel    string          `json:"logLevel"`
	DNS         dns             `json:"dns"`
	ResolvConf  string          `json:"resolvConf"`
	Routes      []rawRoute      `json:"routes"`
	PrevResult  json.RawMessage `json:"prevResult"`

	LinkFirst bool `json:"linkFirst"`

	IPAM struct {
		Type string `json:"type"`
	} `json:"ipam"`
	RuntimeConfig requests `json:"runtimeConfig"`
	Args          struct {
		CNI requests `json:"cni"`
	} `json:"args"`
}

type rawRoute struct {
	Dst string `json:"dst"`
}

// known are the keys of a network configuration: Moat's, and those that the
// specification reserves or knows well.
func known(key string) bool {
	return strings.HasPrefix(key, reservedPrefix) || slices.Contains([]string{
		"cniVersion", "cniVersions", "name", "type", "socket", "standalone", "mtu", "tenant", "credentials", "logLevel",
		"dns", "resolvConf", "routes", "prevResult", "capabilities", "runtimeConfig", "args", "ipMasq", "ipam", "linkFirst",
	}, key)
}

// ParseConfig reads a network configuration strictly: an unknown key is an
// error of code 2, a wrong value one of code 7, broken JSON one of code 6.
func ParseConfig(b []byte) (Config, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b, &keys); err != nil {
		return Config{}, decodeError(err)
	}
	for _, key := range sorted(keys) {
		if !known(key) {
			return Config{}, unsupported(key, keys[key])
		}
	}
	var raw rawConfig
	if err := json.Unmarshal(b, &raw); err != nil {
		return Config{}, decodeError(err)
	}
	if err := knownInside(keys); err != nil {
		return Config{}, err
	}
	return raw.valid()
}

// knownInside refuses unknown keys of the objects that are Moat's to read.
func knownInside(keys map[string]json.RawMessage) error {
	for key, into := range map[string]any{"dns": new(dns), "routes": new([]rawRoute)} {
		value, ok := keys[key]
		if !ok {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(value))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			return &cniconf.Error{Code: cniconf.CodeUnsupported, Msg: fmt.Sprintf("network configuration: %s: %v", key, err),
				Details: "correct the network configuration"}
		}
	}
	return nil
}

func (r rawConfig) valid() (Config, error) {
	c := Config{
		CNIVersion: r.CNIVersion, Name: r.Name, Standalone: r.Standalone, MTU: r.MTU, Tenant: sdn.TenantID(r.Tenant),
		Credentials: r.Credentials, LogLevel: r.LogLevel, ResolvConf: r.ResolvConf,
	}
	if len(r.PrevResult) > 0 && string(r.PrevResult) != "null" {
		c.PrevResult = r.PrevResult
	}
	if !r.DNS.IsEmpty() {
		c.DNS = &r.DNS
	}
	if r.IPAM.Type != ownIPAM {
		c.IPAM, c.LinkFirst = r.IPAM.Type, r.LinkFirst || r.IPAM.Type == dhcpIPAM
	}
	c.capabilities, c.arguments = r.RuntimeConfig, r.Args.CNI
	switch {
	case r.MTU != 0 && (r.MTU < smallestMTU || r.MTU > largestMTU):
		return c, wrong("mtu", fmt.Sprint(r.MTU), fmt.Sprintf("%d to %d bytes", smallestMTU, largestMTU))
	case r.Tenant != "" && !isLabel(r.Tenant):
		return c, wrong("tenant", r.Tenant, labelForm)
	case r.Credentials != "" && r.Credentials[0] != '/':
		return c, wrong("credentials", r.Credentials, "an absolute path")
	case !slices.Contains([]string{"", "debug", "info", "warn", "error"}, r.LogLevel):
		return c, wrong("logLevel", r.LogLevel, "debug, info, warn or error")
	case r.ResolvConf != "" && r.ResolvConf[0] != '/':
		return c, wrong("resolvConf", r.ResolvConf, "an absolute path")
	case strings.ContainsAny(r.IPAM.Type, "/\x00"):
		return c, wrong("ipam.type", r.IPAM.Type, "the name of a plugin in CNI_PATH, without a path")
	}
	for _, route := range r.Routes {
		dst, err := netip.ParsePrefix(route.Dst)
		if err != nil || dst != dst.Masked() {
			return c, wrong("routes.dst", route.Dst, "a subnet such as 10.0.0.0/8, without host bits")
		}
		c.Routes = append(c.Routes, dst)
	}
	for _, server := range r.DNS.Nameservers {
		if _, err := netip.ParseAddr(server); err != nil {
			return c, wrong("dns.nameservers", server, "IP addresses")
		}
	}
	return c, nil
}

func decodeError(err error) error {
	return &cniconf.Error{Code: cniconf.CodeDecode, Msg: "network configuration: " + cniconf.Unreadable(err),
		Details: "correct the type of this key"}
}

// longestQuote is how much of what is wrong a message repeats, in characters.
const longestQuote = 200

func unsupported(key string, value json.RawMessage) error {
	return &cniconf.Error{Code: cniconf.CodeUnsupported,
		Msg:     fmt.Sprintf("network configuration: unknown key %.*q with value %.*s", longestQuote, key, longestQuote, value),
		Details: "correct the key's name or remove it"}
}

func wrong(key, value, want string) error {
	return &cniconf.Error{Code: cniconf.CodeConfig, Msg: fmt.Sprintf("network configuration: %s %q", key, value),
		Details: key + " must be " + want}
}

func sorted(m map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
