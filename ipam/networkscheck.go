package ipam

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
)

// Bounds of Networks.
const (
	MaxPools      = 256
	MaxOwnSubnets = 64   // of one tenant
	maxAllSubnets = 4096 // of all tenants' own
)

// Validate returns a *ConfigError for the first thing that is wrong; plan is the
// installation's, and valid.
func (n Networks) Validate(plan Installation) error {
	for _, check := range []func(Installation) error{n.validPools, n.validNamespaces, n.validOthers, n.validOwn} {
		if err := check(plan); err != nil {
			return err
		}
	}
	return Disjoint(n.Ranges(plan))
}

func (n Networks) validPools(Installation) error {
	if len(n.Pools) > MaxPools {
		return &ConfigError{KeyPools, fmt.Sprintf("%d pools", len(n.Pools)), fmt.Sprintf("at most %d are possible", MaxPools)}
	}
	for i, p := range n.Pools {
		if err := p.validate(fmt.Sprintf("%s[%d].", KeyPools, i)); err != nil {
			return err
		}
		for k, other := range n.Pools[:i] {
			if other.Name == p.Name {
				return &ConfigError{fmt.Sprintf("%s[%d].name", KeyPools, i), strconv.Quote(p.Name), fmt.Sprintf("%s[%d] is called so too", KeyPools, k)}
			}
		}
	}
	return nil
}

func (p TenantPool) validate(key string) error {
	if !installationName.MatchString(p.Name) {
		return &ConfigError{key + KeyName, strconv.Quote(p.Name), "want 1 to 32 of a-z, 0-9 and '-', not at the ends"}
	}
	if p.Name == DefaultPool {
		return &ConfigError{key + KeyName, strconv.Quote(p.Name), "is the pool that " + KeySupernet + " and " + KeySubnetLength + " say; want another name"}
	}
	return p.sized(key)
}

// sized checks supernet and length; key is put before the names of both.
func (p TenantPool) sized(key string) error {
	if err := validPool(key+KeySupernet, p.Supernet); err != nil {
		return err
	}
	length := fmt.Sprintf("/%d", p.SubnetLength)
	switch {
	case p.SubnetLength > 29:
		return &ConfigError{key + KeySubnetLength, length, "too small: at most /29, gateway and five pods"}
	case p.SubnetLength < 20:
		return &ConfigError{key + KeySubnetLength, length, "too large: at least /20, a bridge holds 1,000 ports"}
	case p.SubnetLength < p.Supernet.Bits():
		return &ConfigError{key + KeySupernet, p.Supernet.String(), "too small for one tenant subnet of " + length}
	case p.Supernet.Bits() < 6:
		return &ConfigError{key + KeySupernet, p.Supernet.String(), "too large: at least /6"}
	}
	return nil
}

func (n Networks) validNamespaces(plan Installation) error {
	if _, ok := n.Pool(plan, n.Namespaces.Default); !ok {
		return n.unknownPool(KeyDefaultPool, n.Namespaces.Default)
	}
	for _, ns := range slices.Sorted(maps.Keys(n.Namespaces.Pools)) {
		key, pool := KeyNamespacePools+"."+ns, n.Namespaces.Pools[ns]
		if !ValidNamespace(ns) {
			return &ConfigError{KeyNamespacePools, strconv.Quote(ns), "not the name of a namespace"}
		}
		if _, ok := n.Pool(plan, pool); !ok || pool == "" {
			return n.unknownPool(key, pool)
		}
		if _, both := n.Tenants[ns]; both {
			return &ConfigError{key, pool, "the namespace has subnets of its own, " + KeyOwnSubnets(ns) + "; give one of both"}
		}
	}
	return nil
}

func (n Networks) unknownPool(key, name string) error {
	known := []string{DefaultPool}
	for _, p := range n.Pools {
		known = append(known, p.Name)
	}
	return &ConfigError{key, strconv.Quote(name), fmt.Sprintf("no such pool; there are %v", known)}
}

func (n Networks) validOthers(Installation) error {
	for _, list := range []struct {
		key string
		all []netip.Prefix
	}{{KeyServiceNetworks, n.Service}, {KeyNodeNetworks, n.Node}} {
		for i, p := range list.all {
			key := fmt.Sprintf("%s[%d]", list.key, i)
			switch {
			case !p.IsValid():
				return &ConfigError{key, "(none)", "no CIDR"}
			case p.Addr().Is4In6():
				return &ConfigError{key, p.String(), "an IPv4 address in IPv6 form; write it as IPv4"}
			case p != p.Masked():
				return &ConfigError{key, p.String(), "has host bits set; meant is " + p.Masked().String()}
			case p.Bits() == 0:
				return &ConfigError{key, p.String(), "is everything; want a network"}
			}
		}
	}
	return nil
}

func (n Networks) validOwn(Installation) error {
	total := 0
	for _, name := range slices.Sorted(maps.Keys(n.Tenants)) {
		own, key := n.Tenants[name], KeyOwnSubnets(name)
		total += len(own.Subnets)
		switch {
		case !ValidNamespace(name):
			return &ConfigError{"tenants", strconv.Quote(name), "not the name of a namespace"}
		case len(own.Subnets) == 0:
			return &ConfigError{key, "[]", "want at least one subnet"}
		case len(own.Subnets) > MaxOwnSubnets:
			return &ConfigError{key, fmt.Sprintf("%d subnets", len(own.Subnets)), fmt.Sprintf("at most %d are possible", MaxOwnSubnets)}
		case total > maxAllSubnets:
			return &ConfigError{"tenants", fmt.Sprintf("more than %d own subnets", maxAllSubnets), "give tenants a pool instead"}
		}
		for i, s := range own.Subnets {
			if err := validOwnSubnet(fmt.Sprintf("%s[%d]", key, i), s); err != nil {
				return err
			}
		}
	}
	return nil
}

func validOwnSubnet(key string, s Subnet) error {
	if err := validPool(key, s.Prefix); err != nil {
		return err
	}
	switch gateway := s.Router(); {
	case s.Prefix.Bits() > 30:
		return &ConfigError{key, s.Prefix.String(), "too small: no address is left beside the gateway"}
	case s.Prefix.Bits() < 16:
		return &ConfigError{key, s.Prefix.String(), "too large: at least /16"}
	case !s.Prefix.Contains(gateway), gateway == s.Prefix.Addr(), gateway == last(s.Prefix):
		return &ConfigError{key, s.Prefix.String(), "gateway " + gateway.String() + " is no host's address in it"}
	}
	return nil
}
