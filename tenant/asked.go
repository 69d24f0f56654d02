package tenant

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/ipam"
)

// asked is the subnet that a request leaves no choice but; -1: it may be any.
func asked(subnets []ipam.Subnet, r AttachRequest) (int, error) {
	at := -1
	for _, a := range []struct {
		what string
		addr netip.Addr
		from string
	}{{"gateway", r.Gateway, r.GatewayFrom}, {"address", wanted(r), r.IPsFrom}} {
		if !a.addr.IsValid() {
			continue
		}
		at = slices.IndexFunc(subnets, func(s ipam.Subnet) bool { return s.Prefix.Contains(a.addr) })
		if at < 0 {
			return at, fmt.Errorf("%srequested %s %s is in none of the tenant's subnets %s (a new tenant gets its own by configuration tenants.%s.subnets): %w",
				source(a.from), a.what, a.addr, prefixes(subnets), r.Tenant, ipam.ErrInvalid)
		}
	}
	return at, nil
}

// wanted is the address that a request names; zero: none.
func wanted(r AttachRequest) netip.Addr {
	if len(r.IPs) == 0 {
		return netip.Addr{}
	}
	return r.IPs[0]
}

// source begins a message with who asks.
func source(from string) string {
	if from == "" {
		return ""
	}
	return from + ": "
}

// fits says whether what is asked for can be had in a subnet.
func fits(subnet netip.Prefix, r AttachRequest) error {
	if r.SubnetBits != 0 && r.SubnetBits != subnet.Bits() {
		return fmt.Errorf("%srequested address %s/%d lies in subnet %s, whose length is %d: %w",
			source(r.IPsFrom), wanted(r), r.SubnetBits, subnet, subnet.Bits(), ipam.ErrInvalid)
	}
	if !r.Gateway.IsValid() {
		return nil
	}
	from := source(r.GatewayFrom)
	switch {
	case !subnet.Contains(r.Gateway):
		return fmt.Errorf("%srequested gateway %s is not in the pod's subnet %s: %w", from, r.Gateway, subnet, ipam.ErrInvalid)
	case r.Gateway == subnet.Masked().Addr(), r.Gateway == last(subnet):
		return fmt.Errorf("%srequested gateway %s is the network or broadcast address of subnet %s: %w", from, r.Gateway, subnet, ipam.ErrInvalid)
	case r.Gateway == wanted(r):
		return fmt.Errorf("%srequested gateway %s is the address that the pod asks for itself: %w", from, r.Gateway, ipam.ErrInvalid)
	}
	return nil
}

func last(subnet netip.Prefix) netip.Addr { return ipam.Nth(subnet, 1<<(32-subnet.Bits())-1) }

// notItself refuses a lease of the very address that the pod wants for a gateway.
func notItself(rec ipam.Record, r AttachRequest) error {
	if rec.Address != rec.Gateway || !rec.Address.IsValid() {
		return nil
	}
	return fmt.Errorf("%srequested gateway %s is nobody's, and became the pod's own address; give the gateway's pod a fixed one: %w",
		source(r.GatewayFrom), rec.Gateway, ipam.ErrInvalid)
}

// holder adds to an error the pod that holds the address, where it is known.
func (m *Manager) holder(ctx context.Context, err error) error {
	var held *ipam.AddressInUseError
	if !errors.As(err, &held) {
		return err
	}
	rec, missing := m.opt.Store.Attachment(ctx, held.Holder)
	if missing != nil || rec.PodName == "" {
		return err
	}
	return fmt.Errorf("%w: it is pod %s/%s's", err, rec.PodNamespace, rec.PodName)
}
