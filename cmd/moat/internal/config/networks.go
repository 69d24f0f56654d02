package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/pool"
)

// Tenant is what a tenant's pods get beside addresses.
type Tenant struct {
	DNS        types.DNS
	ResolvConf string // file that DNS is read from instead; ""
}

// RawRanges are the keys of address ranges that are no part of the plan.
type RawRanges struct {
	Pools           []RawPool            `json:"pools"`
	Namespaces      RawNamespaces        `json:"namespaces"`
	Tenants         map[string]RawTenant `json:"tenants"`
	ServiceNetworks []string             `json:"serviceNetworks"`
	NodeNetworks    []string             `json:"nodeNetworks"`
}

func defaultRanges() RawRanges {
	return RawRanges{Namespaces: RawNamespaces{AutoAssign: true, Default: ipam.DefaultPool}}
}

// RawPool is one of the key pools.
type RawPool struct {
	Name         string `json:"name"`
	Supernet     string `json:"supernet"`
	TenantPrefix int    `json:"tenantPrefix"`
}

// RawNamespaces is the key namespaces.
type RawNamespaces struct {
	AutoAssign bool              `json:"autoAssign"`
	Default    string            `json:"default"`
	Pools      map[string]string `json:"pools"`
}

// RawTenant is one of the key tenants.
type RawTenant struct {
	Subnets    []RawSubnet `json:"subnets"`
	Overlap    bool        `json:"overlap"`
	DNS        types.DNS   `json:"dns"`
	ResolvConf string      `json:"resolvConf"`
}

// RawSubnet is an own subnet of a tenant: a CIDR alone, or an object.
type RawSubnet struct {
	Subnet       string   `json:"subnet"`
	RangeStart   string   `json:"rangeStart"`
	RangeEnd     string   `json:"rangeEnd"`
	Gateway      string   `json:"gateway"`
	Exclude      []string `json:"exclude"`
	ReserveFirst int      `json:"reserveFirst"`
	ReserveLast  int      `json:"reserveLast"`
}

// UnmarshalJSON takes either form; a key that Moat does not know is an error.
func (s *RawSubnet) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &s.Subnet)
	}
	if len(b) > 0 && b[0] != '{' && b[0] != 'n' {
		return fmt.Errorf("tenants: subnets: %s is neither a CIDR such as 192.168.10.0/24 nor an object", b)
	}
	type object RawSubnet
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode((*object)(s))
}

// validRanges checks all ranges that are no plan's, and which tenant gets what.
func validRanges(c *Config, r Raw) error {
	n := ipam.Networks{Namespaces: ipam.Namespaces{MappedOnly: !r.Namespaces.AutoAssign, Default: r.Namespaces.Default, Pools: r.Namespaces.Pools}}
	if r.Namespaces.Default == ipam.DefaultPool {
		n.Namespaces.Default = ""
	}
	if len(r.Namespaces.Pools) == 0 {
		n.Namespaces.Pools = nil
	}
	for i, raw := range r.Pools {
		supernet, err := prefix4(fmt.Sprintf("%s[%d].%s", ipam.KeyPools, i, ipam.KeySupernet), raw.Supernet)
		if err != nil {
			return err
		}
		n.Pools = append(n.Pools, ipam.TenantPool{Name: raw.Name, Supernet: supernet, SubnetLength: raw.TenantPrefix})
	}
	var err error
	if n.Service, err = prefixList(ipam.KeyServiceNetworks, r.ServiceNetworks); err != nil {
		return err
	}
	if n.Node, err = prefixList(ipam.KeyNodeNetworks, r.NodeNetworks); err != nil {
		return err
	}
	if err := validTenants(c, &n, r.Tenants); err != nil {
		return err
	}
	c.Networks = n
	plan := c.Installation()
	if err := plan.Validate(); err != nil {
		return err
	}
	if err := n.Validate(plan); err != nil {
		return err
	}
	return routedApart(c)
}

// routedApart keeps destinations that see pods' own addresses off own subnets:
// what is sent there is another tenant's.
func routedApart(c *Config) error {
	for i, p := range c.NoNAT {
		key := ipam.Range{Prefix: p, Key: fmt.Sprintf("noNAT[%d]", i)}
		for _, name := range slices.Sorted(maps.Keys(c.Networks.Tenants)) {
			for _, s := range c.Networks.Tenants[name].Subnets {
				if err := key.Conflict(ipam.Range{Prefix: s.Prefix, Key: ipam.KeyOwnSubnets(name), Tenant: name}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func prefixList(key string, list []string) (ps []netip.Prefix, err error) {
	for i, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %q is no CIDR such as 10.96.0.0/12", key, i, text)
		}
		ps = append(ps, p)
	}
	return ps, nil
}

func validTenants(c *Config, n *ipam.Networks, raw map[string]RawTenant) error {
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		t, key := raw[name], ipam.KeyTenant(name)
		switch {
		case !ipam.ValidNamespace(name):
			return &ipam.ConfigError{Key: "tenants", Value: strconv.Quote(name), Reason: "not the name of a namespace"}
		case t.ResolvConf != "" && !filepath.IsAbs(t.ResolvConf):
			return fmt.Errorf("%s.resolvConf: %q is not an absolute path", key, t.ResolvConf)
		case t.ResolvConf != "" && !t.DNS.IsEmpty():
			return fmt.Errorf("%s: dns and resolvConf are both given; give one", key)
		case t.Overlap && len(t.Subnets) == 0:
			return fmt.Errorf("%s.overlap: the tenant has no own subnets, and what is carved from a pool never overlaps", key)
		}
		for i, server := range t.DNS.Nameservers {
			if _, err := netip.ParseAddr(server); err != nil {
				return fmt.Errorf("%s.dns.nameservers[%d]: %q is no IP address", key, i, server)
			}
		}
		if c.Tenants == nil {
			c.Tenants = map[string]Tenant{}
		}
		c.Tenants[name] = Tenant{DNS: t.DNS, ResolvConf: t.ResolvConf}
		if len(t.Subnets) > 0 {
			own, err := ownSubnets(ipam.KeyOwnSubnets(name), t)
			if err != nil {
				return err
			}
			if n.Tenants == nil {
				n.Tenants = map[string]ipam.OwnSubnets{}
			}
			n.Tenants[name] = own
		}
	}
	return nil
}

func ownSubnets(key string, t RawTenant) (ipam.OwnSubnets, error) {
	own := ipam.OwnSubnets{Overlap: t.Overlap}
	if len(t.Subnets) > ipam.MaxOwnSubnets {
		return own, &ipam.ConfigError{Key: key, Value: fmt.Sprintf("%d subnets", len(t.Subnets)), Reason: fmt.Sprintf("at most %d are possible", ipam.MaxOwnSubnets)}
	}
	for i, raw := range t.Subnets {
		at := fmt.Sprintf("%s[%d]", key, i)
		r := pool.Range{Gateway: raw.Gateway, Exclude: raw.Exclude, ReserveFirst: raw.ReserveFirst, ReserveLast: raw.ReserveLast}
		var err error
		if r.Subnet, err = netip.ParsePrefix(raw.Subnet); err != nil {
			return own, fmt.Errorf("%s: %q is no CIDR such as 192.168.10.0/24", at, raw.Subnet)
		}
		for _, end := range []struct {
			field, text string
			to          *netip.Addr
		}{{"rangeStart", raw.RangeStart, &r.Start}, {"rangeEnd", raw.RangeEnd, &r.End}} {
			if end.text == "" {
				continue
			}
			if *end.to, err = netip.ParseAddr(end.text); err != nil {
				return own, fmt.Errorf("%s.%s: %q is no address", at, end.field, end.text)
			}
		}
		s, err := r.Subnet4(at)
		if err != nil {
			return own, err
		}
		own.Subnets = append(own.Subnets, s)
	}
	return own, nil
}
