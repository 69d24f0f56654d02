package filter_test

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/sdn"
)

// model walks MidoNet's chains the way its API reference tells it, packet by
// packet, knowing nothing of nftables. Where Moat differs on purpose a comment
// says so; docs/engine.md has the list.
type model struct {
	top   *topology
	flows []*flow
}

// flow is a connection: its first packet as it came, and the answer to that
// packet as it left.
type flow struct {
	first, answer packet
	snat, dnat    bool
}

// walk is one packet on its way.
type walk struct {
	m          *model
	p          packet
	came       packet // as it was on arrival
	in, out    sdn.PortID
	entry      sdn.PortID // by which it entered the virtual network
	flow       *flow
	isReturn   bool
	fragmented bool
	visited    []sdn.ChainID
	side       sdn.RuleType // RuleDNAT inbound, RuleSNAT outbound
	translated bool         // on this side
	mustLose   bool         // asked for a translation that the kernel cannot do
}

type verdict string

const (
	verdictAccept verdict = "accept"
	verdictDrop   verdict = "drop"
	verdictReject verdict = "reject"
	verdictNone   verdict = ""
)

func (m *model) portOf(a netip.Addr) sdn.PortID {
	switch {
	case prefix("10.1.0.0/16").Contains(a):
		return pods
	case prefix("10.3.0.0/16").Contains(a):
		return third
	}
	return uplink
}

func (m *model) isLocal(a netip.Addr) bool {
	return slices.Contains([]netip.Addr{addr("10.1.0.1"), addr("10.2.0.1"), addr("10.3.0.1")}, a)
}

func (m *model) name(p sdn.PortID) string { return m.top.ports[p].Interface }

// tuple is what tells one connection's packets from another's.
func tuple(p packet) string {
	return fmt.Sprint(p.proto, p.src, p.sport, p.dst, p.dport, p.icmpType)
}

// send says what comes of a packet from a host: where it arrives, and as what.
func (m *model) send(from string, p packet, fragmented bool) (string, packet, verdict) {
	w := &walk{m: m, p: p, came: p, fragmented: fragmented, side: sdn.RuleDNAT}
	for id, port := range m.top.ports {
		if port.Interface == from {
			w.in, w.entry = id, id
		}
	}
	for _, f := range m.flows {
		switch tuple(p) {
		case tuple(f.answer):
			w.flow, w.isReturn = f, true
		case tuple(f.first):
			w.flow = f
		}
	}
	r := m.top.routers[routerID(1)]
	if v := w.top(r.LocalRedirect); v != verdictAccept {
		return "", packet{}, v
	}
	if v := w.filter(r.InboundFilter); v != verdictAccept {
		return "", packet{}, v
	}
	if m.isLocal(w.p.dst) {
		return w.local(r)
	}
	w.out = m.portOf(w.p.dst)
	return w.leave(r, p)
}

func (w *walk) leave(r sdn.Router, first packet) (string, packet, verdict) {
	// To the kernel, and so to Moat, what changes nothing is no translation.
	dnat := w.p.dst != first.dst || w.p.dport != first.dport
	w.side, w.translated = sdn.RuleSNAT, false
	if v := w.top(r.Forward); v != verdictAccept {
		return "", packet{}, v
	}
	if v := w.filter(r.OutboundFilter); v != verdictAccept {
		return "", packet{}, v
	}
	if w.flow == nil && !w.p.quotes() {
		w.m.flows = append(w.m.flows, &flow{first: first, answer: w.p.answer(), dnat: dnat, snat: w.p.src != first.src || w.p.sport != first.sport})
	}
	return w.m.name(w.out), w.p, verdictAccept
}

// local is a packet to the router: it answers echo requests.
func (w *walk) local(r sdn.Router) (string, packet, verdict) {
	if w.p.proto != icmp || w.p.icmpType != 8 {
		return "", packet{}, verdictDrop
	}
	f := w.flow
	if f == nil {
		original := w.p
		if w.translated {
			return "", packet{}, verdictDrop // no probe does this
		}
		f = &flow{first: original, answer: original.answer()}
		w.m.flows = append(w.m.flows, f)
	}
	own := &walk{m: w.m, p: w.p.answer(), flow: f, isReturn: true}
	own.out = w.m.portOf(own.p.dst)
	host, p, v := own.leave(r, packet{})
	if v == verdictReject {
		v = verdictDrop // the router tells nobody but itself
	}
	return host, p, v
}

// filter runs a top chain and, as Moat does, loses what bears a translation
// that no rule asked for, or not the one that a rule asked for.
func (w *walk) filter(c sdn.ChainID) verdict {
	v := w.top(c)
	if v == verdictAccept && (w.mustLose || !w.translated && w.kernelTranslates()) {
		return verdictDrop
	}
	return v
}

// top runs a top chain, if there is one.
func (w *walk) top(c sdn.ChainID) verdict {
	w.visited = nil
	if _, ok := w.m.top.chains[c]; !ok {
		return verdictAccept
	}
	if v := w.chain(c); v != verdictNone {
		return v
	}
	return verdictAccept
}

// kernelTranslates reports whether connection tracking would rewrite the packet
// on this side, whatever the rules say.
func (w *walk) kernelTranslates() bool {
	if w.flow == nil {
		return false
	}
	if w.side == sdn.RuleDNAT {
		return w.isReturn && w.flow.snat || !w.isReturn && w.flow.dnat
	}
	return w.isReturn && w.flow.dnat || !w.isReturn && w.flow.snat
}

func (w *walk) chain(c sdn.ChainID) verdict {
	w.visited = append(w.visited, c)
	for _, r := range w.m.top.rules[c] {
		if !w.matches(r) {
			continue
		}
		switch r.Type {
		case sdn.RuleAccept:
			return verdictAccept
		case sdn.RuleDrop:
			return verdictDrop
		case sdn.RuleReject:
			return verdictReject
		case sdn.RuleReturn:
			return verdictNone
		case sdn.RuleJump:
			if _, ok := w.m.top.chains[r.JumpChain]; !ok || slices.Contains(w.visited, r.JumpChain) {
				continue
			}
			if v := w.chain(r.JumpChain); v != verdictNone {
				return v
			}
		default:
			if !w.translate(r) {
				continue
			}
			if w.mustLose {
				return verdictDrop
			}
			switch r.FlowAction {
			case sdn.FlowAccept:
				return verdictAccept
			case sdn.FlowReturn:
				return verdictNone
			}
		}
	}
	return verdictNone
}

// translate applies a NAT rule and reports whether it acted.
func (w *walk) translate(r sdn.Rule) bool {
	switch r.Type {
	case sdn.RuleRevSNAT:
		if w.translated || !w.isReturn || !w.flow.snat {
			return false
		}
		w.p.dst, w.p.dport = w.flow.first.src, w.flow.first.sport
		w.icmpIdentity()
	case sdn.RuleRevDNAT:
		if w.translated || !w.isReturn || !w.flow.dnat {
			return false
		}
		w.p.src, w.p.sport = w.flow.first.dst, w.flow.first.dport
		w.icmpIdentity()
	default:
		t := r.NATTargets[0]
		dynamic := t.PortFrom != 0
		trackable := slices.Contains([]uint8{tcp, udp, icmp}, w.p.proto)
		if dynamic && !trackable && r.Type == sdn.RuleDNAT {
			return false
		}
		// Moat loses what its kernel cannot translate, or not a second time.
		if w.translated || dynamic && !trackable {
			w.mustLose = true
			return true
		}
		w.forward(r.Type, t)
	}
	w.translated = true
	return true
}

// icmpIdentity: what stands for ports in an echo is its identity, kept.
func (w *walk) icmpIdentity() {
	if w.p.proto == icmp {
		w.p.sport, w.p.dport = w.flow.first.sport, 0
	}
}

func (w *walk) forward(kind sdn.RuleType, t sdn.NATTarget) {
	if w.p.quotes() { // of no connection: never translated
		w.mustLose = kind == sdn.RuleDNAT && w.p.dst != t.AddressFrom || kind == sdn.RuleSNAT && w.p.src != t.AddressFrom
		return
	}
	ports := t.PortFrom != 0 && w.p.proto != icmp
	if w.isReturn || w.flow != nil && !w.kernelTranslates() {
		// A connection that began otherwise: the kernel does what it began with.
		p := w.p
		if w.isReturn && w.kernelTranslates() {
			if kind == sdn.RuleDNAT {
				p.dst, p.dport = w.flow.first.src, w.flow.first.sport
			} else {
				p.src, p.sport = w.flow.first.dst, w.flow.first.dport
			}
		}
		now := p.src
		if kind == sdn.RuleDNAT {
			now = p.dst
		}
		w.mustLose = now != t.AddressFrom
		w.p = p
		w.icmpIdentity()
		return
	}
	if kind == sdn.RuleDNAT {
		w.p.dst = t.AddressFrom
		if ports {
			w.p.dport = t.PortFrom
		}
		return
	}
	w.p.src = t.AddressFrom // the kernel keeps the port where it is in the range
}
