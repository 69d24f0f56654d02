package tenant

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// smallestMTU is what every IPv4 host must take (RFC 791).
const smallestMTU = 576

func (m *Manager) valid(r AttachRequest) error {
	if err := r.Attachment.Validate(); err != nil {
		return err
	}
	if err := validTenant(r.Tenant); err != nil {
		return err
	}
	switch {
	case r.Netns == nil:
		return &Error{Code: CodeInvalidEnv, Msg: "no network namespace was given", Details: "CNI_NETNS must name the pod's"}
	case r.Attachment.Node != m.opt.Node:
		return fmt.Errorf("attachment of node %s on node %s: %w", r.Attachment.Node, m.opt.Node, ipam.ErrInvalid)
	case len(r.IPs) > 1:
		return fmt.Errorf("%s%d addresses requested %s, one can be given: %w", source(r.IPsFrom), len(r.IPs), r.IPs, ipam.ErrInvalid)
	case len(r.IPs) == 1 && !r.IPs[0].Is4():
		return fmt.Errorf("%srequested address %s is not IPv4, as the networks of tenants are: %w", source(r.IPsFrom), r.IPs[0], ipam.ErrInvalid)
	case r.Gateway.IsValid() && !r.Gateway.Is4():
		return fmt.Errorf("%srequested gateway %s is not IPv4, as the networks of tenants are: %w", source(r.GatewayFrom), r.Gateway, ipam.ErrInvalid)
	case r.MTU != 0 && r.MTU < smallestMTU, m.opt.MTU != 0 && r.MTU > m.opt.MTU:
		return fmt.Errorf("MTU %d is not between %d and the installation's %d: %w", r.MTU, smallestMTU, m.opt.MTU, ipam.ErrInvalid)
	}
	if r.MAC != "" {
		mac, err := net.ParseMAC(r.MAC)
		if err != nil || len(mac) != 6 || mac[0]&1 != 0 {
			return fmt.Errorf("requested MAC %q is not a unicast address of 6 bytes: %w", r.MAC, ipam.ErrInvalid)
		}
	}
	return validRoutes(r.Routes)
}

func validRoutes(routes []netip.Prefix) error {
	for _, p := range routes {
		if !p.IsValid() || !p.Addr().Is4() {
			return fmt.Errorf("route to %s is not IPv4: %w", p, ipam.ErrInvalid)
		}
	}
	return nil
}

// validTenant holds tenants to the form of a Kubernetes namespace's name (RFC
// 1123, label): it becomes part of keys and of objects' names.
func validTenant(t sdn.TenantID) error {
	if ipam.ValidNamespace(string(t)) {
		return nil
	}
	return &Error{Code: CodeInvalidEnv, Msg: fmt.Sprintf("tenant %q is not the name of a namespace", t),
		Details: "want 1 to 63 of a-z, 0-9 and '-', not '-' at the ends"}
}
