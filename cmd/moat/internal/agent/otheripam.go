package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/delegations"
	"github.com/moatnet/moat/tenant"
)

// offer is what another IPAM plugin gives a pod.
type offer struct {
	address netip.Prefix
	gateway netip.Addr // zero: it names none
	routes  []netip.Prefix
	dns     types.DNS
}

// steps are what a configuration delegates, in their order.
func (c *call) steps(conf Config) []delegations.Step {
	if conf.IPAM == "" {
		return nil
	}
	return []delegations.Step{{Plugin: conf.IPAM, IfName: c.request.Env.IfName, Config: c.request.Config}}
}

// askOtherIPAM returns what the plugin gives the pod. An attachment that is in
// place keeps what it was given.
func (c *call) askOtherIPAM(ctx context.Context, d *delegated, conf Config) (offer, error) {
	if d.record.Added {
		return readOffer(conf, d.record.Steps[0].Result)
	}
	out, err := d.add(ctx, c.steps(conf)[0])
	if err != nil {
		return offer{}, err
	}
	return readOffer(conf, out)
}

// othersAddress makes the address of another plugin part of what is asked of the
// tenant: now, or when the interface is there.
func (c *call) othersAddress(ctx context.Context, conf Config, r tenant.AttachRequest, d *delegated) (tenant.AttachRequest, error) {
	l := lender{c, conf, d}
	if conf.LinkFirst {
		r.Lender = l
		return r, nil
	}
	return l.Lend(ctx, r)
}

// lender is another IPAM plugin, for one attachment.
type lender struct {
	call *call
	conf Config
	d    *delegated
}

// Lend implements tenant.Lender.
func (l lender) Lend(ctx context.Context, r tenant.AttachRequest) (tenant.AttachRequest, error) {
	o, err := l.call.askOtherIPAM(ctx, l.d, l.conf)
	if err != nil {
		return r, err
	}
	err = o.grant(l.conf, &r)
	return r, err
}

// Return implements tenant.Lender.
func (l lender) Return(ctx context.Context) {
	if err := l.d.undo(ctx, own); err != nil {
		l.call.notUndone(err)
	}
}

// dns is what the plugin said of name servers; nil: nothing.
func (d *delegated) dns(conf Config) *dns {
	o, err := readOffer(conf, d.record.Steps[0].Result)
	if err != nil || o.dns.IsEmpty() {
		return nil
	}
	return &o.dns
}

// grant makes an offer part of what is asked of the tenant. What the pod asked for
// and did not get is an error: there is no other address instead.
func (o offer) grant(conf Config, r *tenant.AttachRequest) error {
	switch {
	case len(r.IPs) > 0 && !slices.Contains(r.IPs, o.address.Addr()):
		return refusedOffer(conf, fmt.Sprintf("gives the address %s", o.address), fmt.Sprintf("the pod asks for %s%s", r.IPs, from(r.IPsFrom)))
	case r.Sticky != nil:
		return refusedOffer(conf, "makes the addresses", "a pod's cannot be sticky")
	}
	r.IPs, r.SubnetBits, r.IPsFrom = []netip.Addr{o.address.Addr()}, o.address.Bits(), fmt.Sprintf("plugin %q of ipam.type", conf.IPAM)
	if !r.Gateway.IsValid() && o.gateway.IsValid() {
		r.Gateway, r.GatewayFrom = o.gateway, r.IPsFrom
	}
	for _, dst := range o.routes {
		if !slices.Contains(r.Routes, dst) {
			r.Routes = append(r.Routes, dst)
		}
	}
	return nil
}

func from(source string) string {
	if source == "" {
		return ""
	}
	return ", by " + source
}

// readOffer reads the result of an IPAM plugin.
func readOffer(conf Config, out []byte) (offer, error) {
	var o offer
	result, err := readResult(Config{CNIVersion: conf.CNIVersion, PrevResult: out})
	if err != nil {
		return o, &cniconf.Error{Code: cniconf.CodeDecode, Msg: fmt.Sprintf("plugin %q printed no result: %.*q", conf.IPAM, longestQuote, out),
			Details: `"ipam" must name an IPAM plugin`}
	}
	if len(result.IPs) != 1 {
		return o, refusedOffer(conf, fmt.Sprintf("gives %d addresses", len(result.IPs)), "it must give one, of IPv4")
	}
	o.dns, o.address = result.DNS, prefix(result.IPs[0].Address)
	switch {
	case !o.address.IsValid(): // such as ::ffff:10.0.0.5/64
		return o, refusedOffer(conf, fmt.Sprintf("gives the address %s", &result.IPs[0].Address), "it must give one of IPv4 with a prefix length of 0 to 32")
	case !o.address.Addr().Is4():
		return o, refusedOffer(conf, fmt.Sprintf("gives the IPv6 address %s", o.address), "tenants' networks are of IPv4")
	}
	if gateway, ok := netip.AddrFromSlice(result.IPs[0].Gateway); ok {
		o.gateway = gateway.Unmap()
	}
	for _, r := range result.Routes {
		if err := o.take(conf, r); err != nil {
			return o, err
		}
	}
	return o, nil
}

// take adds a route; all of a pod's go by way of one gateway.
func (o *offer) take(conf Config, r *types.Route) error {
	dst := prefix(r.Dst)
	gateway, _ := netip.AddrFromSlice(r.GW)
	gateway = gateway.Unmap()
	switch {
	case !dst.Addr().Is4():
		return refusedOffer(conf, fmt.Sprintf("gives a route to %s", dst), "tenants' networks are of IPv4")
	case r.MTU != 0 || r.AdvMSS != 0 || r.Priority != 0 || r.Table != nil || r.Scope != nil:
		return refusedOffer(conf, fmt.Sprintf("gives a route to %s with attributes", dst), "routes may have none of mtu, advmss, priority, table and scope")
	case gateway.IsValid() && !o.gateway.IsValid():
		o.gateway = gateway
	case gateway.IsValid() && gateway != o.gateway:
		return refusedOffer(conf, fmt.Sprintf("gives a route to %s by way of %s", dst, gateway),
			fmt.Sprintf("all routes of a pod go by way of its gateway, here %s", o.gateway))
	}
	if dst.Bits() > 0 { // the default route is always there
		o.routes = append(o.routes, dst)
	}
	return nil
}

func refusedOffer(conf Config, does, want string) error {
	return &cniconf.Error{Code: cniconf.CodeConfig, Msg: fmt.Sprintf("network configuration: ipam.type: plugin %q %s", conf.IPAM, does),
		Details: want + `; correct the section "ipam"`}
}

// ipamType is the plugin that a configuration, which need not be valid, has make
// its addresses; "": Moat.
func ipamType(config []byte) string {
	var raw struct {
		IPAM struct {
			Type string `json:"type"`
		} `json:"ipam"`
	}
	if err := json.Unmarshal(config, &raw); err != nil || raw.IPAM.Type == ownIPAM {
		return ""
	}
	return raw.IPAM.Type
}

// checkOtherIPAM has the plugin check what it gave.
func (c *call) checkOtherIPAM(ctx context.Context, conf Config) error {
	if conf.IPAM == "" {
		return nil
	}
	_, err := c.others.run(ctx, delegation{plugin: conf.IPAM, command: cniconf.Check, config: c.request.Config})
	return err
}

// tellOtherIPAM passes on GC or STATUS, to a plugin that knows them.
func (c *call) tellOtherIPAM(ctx context.Context, command, plugin string) error {
	if plugin == "" {
		return nil
	}
	knows, err := c.others.knows(ctx, plugin, c.head.CNIVersion)
	if err != nil || !knows {
		return err
	}
	_, err = c.others.run(ctx, delegation{plugin: plugin, command: command, config: c.request.Config})
	return err
}

// knows asks a plugin whether it speaks a version of the specification.
func (d delegates) knows(ctx context.Context, plugin, version string) (bool, error) {
	out, err := d.run(ctx, delegation{plugin: plugin, command: cniconf.Version, config: fmt.Appendf(nil, `{"cniVersion":%q}`, version)})
	if err != nil {
		return false, err
	}
	var says struct {
		SupportedVersions []string `json:"supportedVersions"`
	}
	if err := json.Unmarshal(out, &says); err != nil {
		return false, &cniconf.Error{Code: cniconf.CodeDecode, Msg: fmt.Sprintf("plugin %q: its versions cannot be read: %.*q", plugin, longestQuote, out),
			Details: `"type" must name a CNI plugin`}
	}
	return slices.Contains(says.SupportedVersions, version), nil
}
