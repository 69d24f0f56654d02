package nft

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// Statement is one part of a rule: Match, Vmap, Lookup, Update, Remove, SetMark,
// Counter, Verdict, Reject, NAT, NATMap, Masquerade or Unknown.
type Statement interface {
	fmt.Stringer
	statement()
}

// Match compares a field. Exactly one of Value (with To a range, both ends
// included) and Set is given. For a field of flags (ct state, ct status) it
// asks whether any bit of Value is set.
type Match struct {
	Field Field
	Mask  Value // bits to look at; "": all
	Not   bool
	Value Value
	To    Value
	Set   string // name of a set of the same table
}

// Vmap does what the verdict map says for the field's value, and nothing when
// the map has no entry for it.
type Vmap struct {
	Field Field
	Mask  Value
	Map   string
}

// SetMark sets the packet's mark to (mark & Keep) | Value.
type SetMark struct{ Keep, Value uint32 }

// Counter counts packets and bytes. Its figures are not part of the model.
type Counter struct{}

// VerdictKind is what becomes of a packet.
type VerdictKind string

// The verdicts.
const (
	VerdictAccept VerdictKind = "accept"
	VerdictDrop   VerdictKind = "drop"
	VerdictReturn VerdictKind = "return"
	VerdictJump   VerdictKind = "jump"
	VerdictGoto   VerdictKind = "goto"
)

// Verdict ends a rule. Chain is the target of jump and goto.
type Verdict struct {
	Kind  VerdictKind
	Chain string
}

// Accept ends the base chain; the hook's next base chain still sees the packet.
func Accept() Verdict { return Verdict{Kind: VerdictAccept} }

// Drop ends everything.
func Drop() Verdict { return Verdict{Kind: VerdictDrop} }

// Return goes back to the calling chain, behind the jump.
func Return() Verdict { return Verdict{Kind: VerdictReturn} }

// Jump calls a chain.
func Jump(chain string) Verdict { return Verdict{Kind: VerdictJump, Chain: chain} }

// Goto goes to a chain whose end is the caller's.
func Goto(chain string) Verdict { return Verdict{Kind: VerdictGoto, Chain: chain} }

// Reject drops and sends ICMP destination unreachable with a code.
type Reject struct{ Code uint8 }

// CodeAdminProhibited is ICMP type 3 code 13.
const CodeAdminProhibited uint8 = 13

// NATKind is which end of the packet is translated.
type NATKind string

// The kinds.
const (
	SNAT NATKind = "snat"
	DNAT NATKind = "dnat"
)

// NAT translates the connection's source or destination to one of the
// addresses From to To and, unless both are 0, one of the ports.
type NAT struct {
	Kind             NATKind
	From, To         netip.Addr // IPv4; equal for one address
	PortFrom, PortTo uint16
}

// NATMap translates to the address that a map has for the field's value.
type NATMap struct {
	Kind  NATKind
	Field Field
	Map   string
}

// Masquerade is source NAT to the address of the outgoing interface.
type Masquerade struct{}

func (Match) statement()      {}
func (Vmap) statement()       {}
func (SetMark) statement()    {}
func (Counter) statement()    {}
func (Verdict) statement()    {}
func (Reject) statement()     {}
func (NAT) statement()        {}
func (NATMap) statement()     {}
func (Masquerade) statement() {}

func (m Match) String() string {
	var b strings.Builder
	b.WriteString(string(m.Field))
	op := " "
	if m.Not {
		op = " != "
	}
	switch {
	case m.Set != "":
		return b.String() + maskText(m.Field, m.Mask) + op + "@" + m.Set
	case m.To != "":
		return b.String() + op + m.Value.text(m.Field.Type()) + "-" + m.To.text(m.Field.Type())
	case m.Mask != "":
		if bits, ok := prefixBits(m.Mask); ok && m.Field.Type() == TypeIPv4 {
			return fmt.Sprintf("%s%s%s/%d", b.String(), op, m.Value.text(TypeIPv4), bits)
		}
		if !m.Not {
			op = " == "
		}
		return b.String() + maskText(m.Field, m.Mask) + op + m.Value.text(m.Field.Type())
	}
	return b.String() + op + m.Value.text(m.Field.Type())
}

func maskText(f Field, mask Value) string {
	if mask == "" {
		return ""
	}
	return " & " + mask.text(f.Type())
}

func prefixBits(mask Value) (int, bool) {
	if len(mask) != 4 {
		return 0, false
	}
	n := binary.BigEndian.Uint32([]byte(mask))
	bits := 0
	for ; n&0x80000000 != 0; n <<= 1 {
		bits++
	}
	return bits, n == 0
}

func (v Vmap) String() string {
	return string(v.Field) + maskText(v.Field, v.Mask) + " vmap @" + v.Map
}

func (m SetMark) String() string {
	if m.Keep == 0 {
		return fmt.Sprintf("meta mark set 0x%08x", m.Value)
	}
	return fmt.Sprintf("meta mark set meta mark & 0x%08x | 0x%08x", m.Keep, m.Value)
}

func (Counter) String() string { return "counter" }

func (v Verdict) String() string {
	if v.Chain == "" {
		return string(v.Kind)
	}
	return string(v.Kind) + " " + v.Chain
}

func (r Reject) String() string {
	names := map[uint8]string{0: "net-unreachable", 1: "host-unreachable", 3: "port-unreachable", CodeAdminProhibited: "admin-prohibited"}
	if s, ok := names[r.Code]; ok {
		return "reject with icmp " + s
	}
	return fmt.Sprintf("reject with icmp %d", r.Code)
}

func (n NAT) String() string {
	s := fmt.Sprintf("%s to %s", n.Kind, n.From)
	if n.To != n.From {
		s += "-" + n.To.String()
	}
	if n.PortFrom == 0 && n.PortTo == 0 {
		return s
	}
	s += fmt.Sprintf(":%d", n.PortFrom)
	if n.PortTo != n.PortFrom {
		s += fmt.Sprintf("-%d", n.PortTo)
	}
	return s
}

func (n NATMap) String() string {
	return fmt.Sprintf("%s to %s map @%s", n.Kind, n.Field, n.Map)
}

func (Masquerade) String() string { return "masquerade" }

// Unknown stands for something found in the kernel that the model does not
// cover, and that is therefore not Moat's. It is never wanted.
type Unknown struct{ What string }

func (Unknown) statement() {}

func (u Unknown) String() string { return "# unknown: " + u.What }
