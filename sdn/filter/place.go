package filter

import (
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// place is where a chain is evaluated, and what is known of a packet there.
// One MidoNet chain may be needed at several places and is translated for each.
type place struct {
	name       string // first part of the names of its nft chains
	in, out    side
	generated  generated
	nat        natSide
	canReject  bool // the kernel can send ICMP errors here
	hasEther   bool // there is an Ethernet header
	bridge     bool // table family bridge: other protocols than IPv4 come by
	unicastOut bool // the outgoing port is known for unicast only
	rewritten  bool // behind the translation of destinations
	tagged     bool // the condition is about what a VLAN tag precedes
}

// side is what a place knows of a packet's incoming or outgoing port.
type side struct {
	kind sideKind
	port sdn.PortID // sidePort
}

type sideKind int

const (
	sideNone      sideKind = iota // there is none, or it is not known yet
	sideInterface                 // the kernel's interface name tells
	sidePort                      // always the same port
)

// generated says which packets at a place the router made itself.
type generated int

const (
	generatedNone   generated = iota
	generatedAll              // all
	generatedMarked           // those with markGenerated
)

// natSide says which translations a place can ask for.
type natSide int

const (
	natNone       natSide = iota // none
	natDst                       // before the routing decision
	natSrc                       // after it
	natTranslated                // the packet was translated already
)

// The places of a router's own filters.
func inbound() place {
	return place{name: "in", in: side{kind: sideInterface}, nat: natDst, canReject: true, hasEther: true}
}

func inboundTranslated() place {
	return place{name: "in2", in: side{kind: sideInterface}, nat: natTranslated, canReject: true, hasEther: true, rewritten: true}
}

func outbound() place {
	return place{name: "out", in: side{kind: sideInterface}, out: side{kind: sideInterface}, nat: natSrc, canReject: true, rewritten: true}
}

func outboundGenerated() place {
	p := outbound()
	p.name, p.in, p.generated = "own", side{}, generatedAll
	return p
}

func outboundTranslated() place {
	p := outbound()
	p.name, p.nat, p.canReject, p.generated = "out2", natTranslated, false, generatedMarked
	return p
}

// The places of the chains before those filters, which translate nothing.
func localRedirect() place {
	p := inbound()
	p.name, p.nat = "lr", natNone
	return p
}

func forward() place {
	p := outbound()
	p.name, p.nat = "fwd", natNone
	return p
}

func forwardGenerated() place {
	p := outboundGenerated()
	p.name, p.nat = "fwdown", natNone
	return p
}

// after is the place at which rules behind a NAT rule of this place go on.
func (p place) after() place {
	if p.nat == natDst {
		return inboundTranslated()
	}
	return outboundTranslated()
}

// ip narrows a literal about the IPv4 header to IPv4 packets.
func (p place) ip(l literal) literal {
	if !p.bridge {
		return l
	}
	return both(p.ether(etherIPv4), l)
}

// ether matches the EtherType of a frame on a bridge.
func (p place) ether(kind uint16) literal {
	if p.tagged {
		return equal(nft.VLANType, nft.Uint16(kind))
	}
	return equal(nft.EtherType, nft.Uint16(kind))
}

// unicast narrows a literal about the outgoing port to the frames for which the
// place knows it.
func (p place) unicast(l literal) literal {
	if !p.unicastOut || p.out.kind == sideNone {
		return l
	}
	return both(masked(nft.EtherDst, multicastBit, "\x00\x00\x00\x00\x00\x00"), l)
}
