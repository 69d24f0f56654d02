package filter

import (
	"fmt"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// Priorities of a router's base chains. The kernel puts fragments together at
// -400, tracks connections at -200 and translates at -100 and 100.
const (
	prioArrival            = -450
	prioPortInbound        = -160
	prioLocalRedirect      = -155
	prioInbound            = -150
	prioDNAT               = -100
	prioInboundTranslated  = -90
	prioForward            = -5
	prioFilter             = 0
	prioPortOutbound       = 10
	prioSNAT               = 100
	prioOutboundTranslated = 110
	prioPortOutboundLast   = 120
)

// Router translates a router: the filters of the router and of its ports, and
// what every router drops. The error wraps sdn.ErrUnsupported, or
// sdn.ErrNotFound when there is no such router.
func Router(v sdn.View, installation string, id sdn.RouterID) ([]nft.Table, error) {
	r, ok := v.Router(id)
	if !ok {
		return nil, fmt.Errorf("filters of router %s: %w", id, sdn.ErrNotFound)
	}
	return translateRouter(v, installation, r)
}

func translateRouter(v sdn.View, installation string, r sdn.Router) ([]nft.Table, error) {
	d := newDevice(v, nft.IP, TablePrefix(installation)+"router", sdn.DeviceID(r.ID))
	if err := d.router(r); err != nil {
		return nil, fmt.Errorf("filters of router %s: %w", r.ID, err)
	}
	return []nft.Table{d.table.Normal(), noIPv6(TablePrefix(installation) + "router")}, nil
}

func newDevice(v sdn.View, f nft.Family, table string, id sdn.DeviceID) *device {
	d := &device{view: v, id: id, table: nft.Table{Family: f, Name: table}, ports: map[sdn.PortID]string{}, marks: map[uint32]string{}, names: map[string]string{}}
	for _, p := range v.PortsOf(id) {
		d.ports[p.ID] = sdn.PortInterface(v, p)
	}
	return d
}

func (d *device) base(name string, t nft.ChainType, h nft.Hook, prio int32, p nft.Policy, rules ...nft.Rule) {
	d.table.Chains = append(d.table.Chains, nft.Chain{
		Name: name, Base: &nft.Base{Type: t, Hook: h, Priority: prio, Policy: p}, Rules: rules})
}

func (d *device) filter(name string, h nft.Hook, prio int32, p nft.Policy, rules ...nft.Rule) {
	d.base(name, nft.FilterChain, h, prio, p, rules...)
}

func match(f nft.Field, v nft.Value) nft.Match { return nft.Match{Field: f, Value: v} }

func (d *device) router(r sdn.Router) error {
	d.portSets(sdn.DeviceID(r.ID))
	d.arrival(r)
	d.toRouter(r.ID)
	if !r.AdminStateUp {
		d.filter("forwarding", nft.Forward, prioFilter, nft.PolicyDrop)
		d.filter("own", nft.Output, prioFilter, nft.PolicyDrop, ownErrors())
		return nil
	}
	if err := d.firstFilters(r); err != nil {
		return err
	}
	if err := d.top(r.InboundFilter, inbound(), "inbound", nft.Prerouting, prioInbound); err != nil {
		return err
	}
	if err := d.forwarding(r); err != nil {
		return err
	}
	if err := d.own(r); err != nil {
		return err
	}
	if err := d.portFilters(r); err != nil {
		return err
	}
	return d.finishNAT()
}

// portSets makes the sets of the interfaces of the router's ports.
func (d *device) portSets(id sdn.DeviceID) {
	var up, down []string
	for _, p := range d.view.PortsOf(id) {
		switch name := d.ports[p.ID]; {
		case name == "":
		case p.AdminStateUp:
			up = append(up, name)
		default:
			down = append(down, name)
		}
	}
	d.addSet(nft.Set{Name: "errors", Key: nft.TypeICMPType, Elements: []nft.Element{
		{Key: nft.Uint8(icmpUnreachable)}, {Key: nft.Uint8(icmpExceeded)}, {Key: nft.Uint8(icmpParameter)}}})
	d.addSet(interfaceSet("ports", up))
	d.addSet(interfaceSet("ports-down", down))
}

// arrival is the first chain that a packet meets.
func (d *device) arrival(r sdn.Router) {
	reject := nft.Reject{Code: nft.CodeAdminProhibited}
	rules := []nft.Rule{nft.NewRule(nft.SetMark{})}
	if r.AdminStateUp {
		rules = append(rules, nft.NewRule(nft.Match{Field: nft.IIfName, Set: "ports-down"}, reject))
	}
	rules = append(rules, nft.NewRule(nft.Match{Field: nft.IIfName, Set: "ports", Not: true}, nft.Drop()))
	if !r.AdminStateUp {
		rules = append(rules, nft.NewRule(reject))
	} else {
		rules = append(rules, nft.NewRule(nft.Match{Field: nft.IPFragment, Mask: nft.Uint16(fragmentOffset | fragmentMore), Value: nft.Uint16(0), Not: true},
			nft.SetMark{Value: markFragmented}))
	}
	d.filter("arrival", nft.Prerouting, prioArrival, nft.PolicyAccept, rules...)
}

// ICMP types.
const (
	icmpEchoReply   = 0
	icmpUnreachable = 3
	icmpQuench      = 4
	icmpRedirect    = 5
	icmpEchoRequest = 8
	icmpExceeded    = 11
	icmpParameter   = 12
)

// toRouter answers echo requests to the addresses of Local routes, and nothing.
func (d *device) toRouter(id sdn.RouterID) {
	local := nft.Set{Name: "local", Key: nft.TypeIPv4}
	seen := map[nft.Value]bool{}
	var nets []nft.Rule
	echo := func(m nft.Match) nft.Rule {
		return nft.NewRule(match(nft.IPProto, nft.Uint8(protoICMP)), match(nft.ICMPType, nft.Uint8(icmpEchoRequest)), m, nft.Accept())
	}
	for _, r := range d.view.RoutesOf(id) {
		switch {
		case r.Type != sdn.RouteLocal || !d.usable(r.NextHopPort):
		case r.Dst.IsSingleIP():
			if a := nft.Addr(r.Dst.Addr()); !seen[a] {
				seen[a] = true
				local.Elements = append(local.Elements, nft.Element{Key: a})
			}
		default:
			nets = append(nets, echo(nft.Match{Field: nft.IPDst, Mask: nft.PrefixMask(r.Dst), Value: nft.Addr(r.Dst.Masked().Addr())}))
		}
	}
	d.addSet(local)
	d.filter("to-router", nft.Input, prioFilter, nft.PolicyDrop, append([]nft.Rule{echo(nft.Match{Field: nft.IPDst, Set: "local"})}, nets...)...)
}

// usable reports whether routes of a port count: it is up, and linked or bound.
func (d *device) usable(id sdn.PortID) bool {
	if id == "" {
		return true
	}
	p, ok := d.view.Port(id)
	return ok && p.AdminStateUp && (p.Peer != "" || p.Interface != "")
}

// top makes the base chain of a filter, if there is one.
func (d *device) top(c sdn.ChainID, p place, name string, h nft.Hook, prio int32, before ...nft.Rule) error {
	rules := before
	if _, ok := d.view.Chain(c); ok {
		chain, err := d.chain(p, c, 0, nil)
		if err != nil {
			return err
		}
		rules = append(rules, nft.NewRule(nft.Jump(chain)))
	}
	if len(rules) > 0 {
		d.filter(name, h, prio, nft.PolicyAccept, rules...)
	}
	return nil
}

// firstFilters adds the chains that packets pass before the router's inbound and
// outbound filters. Accepting in one ends that one alone.
func (d *device) firstFilters(r sdn.Router) error {
	if err := d.top(r.LocalRedirect, localRedirect(), "local-redirect", nft.Prerouting, prioLocalRedirect); err != nil {
		return err
	}
	if err := d.top(r.Forward, forward(), "forward-chain", nft.Forward, prioForward); err != nil {
		return err
	}
	if _, ok := d.view.Chain(r.Forward); !ok {
		return nil
	}
	return d.top(r.Forward, forwardGenerated(), "forward-own", nft.Output, prioForward, ownErrors())
}

func (d *device) forwarding(r sdn.Router) error {
	return d.top(r.OutboundFilter, outbound(), "forwarding", nft.Forward, prioFilter,
		nft.NewRule(nft.Match{Field: nft.OIfName, Set: "ports-down"}, nft.Reject{Code: nft.CodeAdminProhibited}),
		nft.NewRule(nft.Match{Field: nft.OIfName, Set: "ports", Not: true}, nft.Drop()))
}

// ownErrors accepts the ICMP errors that the router makes.
func ownErrors() nft.Rule {
	return nft.NewRule(match(nft.IPProto, nft.Uint8(protoICMP)), nft.Match{Field: nft.ICMPType, Set: "errors"}, nft.Accept())
}

// own is the chain of what the router makes itself: ICMP errors, which pass by
// the router's filters, and echo replies. Nothing else leaves.
func (d *device) own(r sdn.Router) error {
	rules := []nft.Rule{
		nft.NewRule(nft.SetMark{Value: markGenerated}),
		ownErrors(),
		nft.NewRule(match(nft.IPProto, nft.Uint8(protoICMP)), nft.Match{Field: nft.ICMPType, Not: true, Value: nft.Uint8(icmpEchoReply)}, nft.Drop()),
		nft.NewRule(nft.Match{Field: nft.IPProto, Not: true, Value: nft.Uint8(protoICMP)}, nft.Drop()),
	}
	return d.top(r.OutboundFilter, outboundGenerated(), "own", nft.Output, prioFilter, rules...)
}

// noIPv6 is the table that drops IPv6, which routers do not forward.
func noIPv6(name string) nft.Table {
	return nft.Table{Family: nft.IP6, Name: name, Chains: []nft.Chain{
		{Name: "arrival", Base: &nft.Base{Type: nft.FilterChain, Hook: nft.Prerouting, Priority: prioArrival, Policy: nft.PolicyDrop}},
		{Name: "own", Base: &nft.Base{Type: nft.FilterChain, Hook: nft.Output, Priority: prioFilter, Policy: nft.PolicyDrop}},
	}}
}
