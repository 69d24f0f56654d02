package ipam

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"regexp"
)

// Schema is the version of all records in the store.
const Schema = 1

// Configuration keys, as errors name them.
const (
	KeyName         = "name"
	KeySupernet     = "supernet"
	KeySubnetLength = "tenantPrefix"
	KeyTransit      = "transitPool"
	KeyRanges       = "ipam.ranges" // of a network configuration
)

// reservedPairs is how many /31s of the transit pool the uplink's /30 takes.
const reservedPairs = 2

// Installation is the address plan that all nodes of an installation share. It
// is written once, by the first who comes, and never changes: slots are counted
// by it, and IDs of all objects are derived from ID.
type Installation struct {
	Schema       int          `json:"schema"`
	ID           string       `json:"id"` // random UUID
	Name         string       `json:"name"`
	Supernet     netip.Prefix `json:"supernet"`     // pods
	SubnetLength int          `json:"tenantPrefix"` // prefix length of one tenant subnet
	Transit      netip.Prefix `json:"transitPool"`  // uplink and transit pairs
}

// Defaults is the plan of an installation whose configuration says nothing.
func Defaults(name string) Installation {
	return Installation{
		Name:         name,
		Supernet:     netip.MustParsePrefix("10.128.0.0/9"),
		SubnetLength: 22,
		Transit:      netip.MustParsePrefix("100.64.0.0/16"),
	}
}

var installationName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// Validate returns a *ConfigError for the first thing that is wrong.
func (i Installation) Validate() error {
	if !installationName.MatchString(i.Name) {
		return &ConfigError{KeyName, fmt.Sprintf("%q", i.Name), "want 1 to 32 of a-z, 0-9 and '-', not at the ends"}
	}
	if err := validPool(KeyTransit, i.Transit); err != nil {
		return err
	}
	if err := i.DefaultPool().sized(""); err != nil {
		return err
	}
	switch {
	case i.Transit.Bits() > 29:
		return &ConfigError{KeyTransit, i.Transit.String(), "too small: at most /29, the uplink and two tenants"}
	case i.Transit.Bits() < 8:
		return &ConfigError{KeyTransit, i.Transit.String(), "too large: at least /8"}
	case i.Supernet.Overlaps(i.Transit):
		return &ConfigError{KeyTransit, i.Transit.String(), "overlaps " + KeySupernet + " " + i.Supernet.String()}
	}
	return nil
}

func validPool(key string, p netip.Prefix) error {
	switch {
	case !p.IsValid():
		return &ConfigError{key, "(none)", "no CIDR"}
	case p.Addr().Is4In6():
		return &ConfigError{key, p.String(), "an IPv4 address in IPv6 form; write it as IPv4"}
	case !p.Addr().Is4():
		return &ConfigError{key, p.String(), "not IPv4, as tenants' networks are; pools of moat-ipam may be IPv6"}
	case p != p.Masked():
		return &ConfigError{key, p.String(), "has host bits set; meant is " + p.Masked().String()}
	case p.Addr().IsMulticast(), p.Addr().IsLoopback(), p.Addr().IsUnspecified(), p.Addr().IsLinkLocalUnicast():
		return &ConfigError{key, p.String(), "not a range for unicast"}
	}
	return nil
}

// DefaultPool is the pool that tenants' subnets are carved from where nothing
// else is said.
func (i Installation) DefaultPool() TenantPool {
	return TenantPool{Name: DefaultPool, Supernet: i.Supernet, SubnetLength: i.SubnetLength}
}

// Pairs is how many transit pairs the transit pool holds beside the uplink.
func (i Installation) Pairs() int { return 1<<(31-i.Transit.Bits()) - reservedPairs }

// Pair is the transit pair of a slot, from 0 on.
func (i Installation) Pair(slot int) Pair {
	at := 2 * (slot + reservedPairs)
	return Pair{Provider: Nth(i.Transit, at), Tenant: Nth(i.Transit, at+1)}
}

// Uplink is the provider's uplink: the first /30 of the transit pool, the
// host's end first.
func (i Installation) Uplink() (host, provider netip.Prefix) {
	return netip.PrefixFrom(Nth(i.Transit, 1), 30), netip.PrefixFrom(Nth(i.Transit, 2), 30)
}

// Nth is the address n places after the first of an IPv4 prefix.
func Nth(p netip.Prefix, n int) netip.Addr {
	b := p.Masked().Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(n))
	return netip.AddrFrom4(b)
}

// last is the last address of an IPv4 prefix.
func last(p netip.Prefix) netip.Addr { return Nth(p, 1<<(32-p.Bits())-1) }

// Gateway is the first address of a subnet, which its bridge's router port holds
// unless the subnet's record says another.
func Gateway(subnet netip.Prefix) netip.Addr { return Nth(subnet, 1) }
