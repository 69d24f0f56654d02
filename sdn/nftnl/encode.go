package nftnl

import (
	"fmt"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/nft"
)

// The registers that rules use. Each of the four holds 16 bytes.
const (
	regVerdict = unix.NFT_REG_VERDICT
	reg1       = unix.NFT_REG_1
	reg2       = unix.NFT_REG_2
	reg3       = unix.NFT_REG_3
	reg4       = unix.NFT_REG_4
)

// load is the expression that puts a field into register 1.
func load(f nft.Field) (expr.Any, error) {
	for _, l := range loads() {
		if l.field == f {
			return l.expr, nil
		}
	}
	return nil, fmt.Errorf("field %q cannot be loaded", f)
}

type fieldLoad struct {
	field nft.Field
	expr  expr.Any
}

// loads lists how each field is loaded; the decoder reads it backwards.
func loads() []fieldLoad {
	meta := func(k expr.MetaKey) expr.Any { return &expr.Meta{Key: k, Register: reg1} }
	ct := func(k expr.CtKey) expr.Any { return &expr.Ct{Key: k, Register: reg1} }
	payload := func(b expr.PayloadBase, offset, length uint32) expr.Any {
		return &expr.Payload{OperationType: expr.PayloadLoad, DestRegister: reg1, Base: b, Offset: offset, Len: length}
	}
	const (
		link    = expr.PayloadBaseLLHeader
		network = expr.PayloadBaseNetworkHeader
		trans   = expr.PayloadBaseTransportHeader
	)
	return []fieldLoad{
		{nft.IIfName, meta(expr.MetaKeyIIFNAME)},
		{nft.OIfName, meta(expr.MetaKeyOIFNAME)},
		{nft.Mark, meta(expr.MetaKeyMARK)},
		{nft.PktType, meta(expr.MetaKeyPKTTYPE)},
		{nft.CTState, ct(expr.CtKeySTATE)},
		{nft.CTDirection, ct(expr.CtKeyDIRECTION)},
		{nft.CTStatus, ct(expr.CtKeySTATUS)},
		{nft.CTMark, ct(expr.CtKeyMARK)},
		{nft.EtherSrc, payload(link, 6, 6)},
		{nft.EtherDst, payload(link, 0, 6)},
		{nft.EtherType, payload(link, 12, 2)},
		{nft.VLANTag, payload(link, 14, 2)},
		{nft.VLANType, payload(link, 16, 2)},
		{nft.IPLength, payload(network, 2, 2)},
		{nft.IPID, payload(network, 4, 2)},
		{nft.IPSrc, payload(network, 12, 4)},
		{nft.IPDst, payload(network, 16, 4)},
		{nft.IPProto, payload(network, 9, 1)},
		{nft.IPTOS, payload(network, 1, 1)},
		{nft.IPFragment, payload(network, 6, 2)},
		{nft.IP6Src, payload(network, 8, 16)},
		{nft.IP6Dst, payload(network, 24, 16)},
		{nft.SrcPort, payload(trans, 0, 2)},
		{nft.DstPort, payload(trans, 2, 2)},
		{nft.ICMPType, payload(trans, 0, 1)},
		{nft.ICMPCode, payload(trans, 1, 1)},
		{nft.ICMPID, payload(trans, 4, 2)},
		{nft.TCPFlags, payload(trans, 13, 1)},
		{nft.QuotedStart, payload(trans, 8, 1)},
		{nft.QuotedProto, payload(trans, 17, 1)},
		{nft.QuotedSrcPort, payload(trans, 28, 2)},
		{nft.QuotedDstPort, payload(trans, 30, 2)},
		{nft.QuotedICMPID, payload(trans, 32, 2)},
		{nft.QuotedSrc, payload(trans, 20, 4)},
		{nft.QuotedDst, payload(trans, 24, 4)},
		{nft.IP6Length, payload(network, 4, 2)},
		{nft.IP6Next, payload(network, 6, 1)},
		{nft.ICMP6Type, payload(trans, 0, 1)},
		{nft.NDTarget, payload(trans, 8, 16)},
		{nft.NDOption, payload(trans, 24, 2)},
		{nft.NDOptionMAC, payload(trans, 26, 6)},
		{nft.ARPFormat, payload(network, 0, 6)},
		{nft.ARPSrcMAC, payload(network, 8, 6)},
		{nft.ARPSrcIP, payload(network, 14, 4)},
		{nft.ARPDstIP, payload(network, 24, 4)},
		// ARP operation and fragment offset stand at the same place, as do two
		// fields of IPv4 and IPv6 each; the decoder tells them apart by what was
		// matched.
		{nft.ARPOperation, payload(network, 6, 2)},
	}
}

func encodeRule(r nft.Rule) ([]expr.Any, error) {
	var out []expr.Any
	for _, s := range r.Statements {
		es, err := encode(s)
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", r, err)
		}
		out = append(out, es...)
	}
	return out, nil
}

func encode(s nft.Statement) ([]expr.Any, error) {
	switch s := s.(type) {
	case nft.Match:
		return encodeMatch(s)
	case nft.Vmap:
		es, err := loadMasked(s.Field, s.Mask)
		return append(es, &expr.Lookup{SourceRegister: reg1, DestRegister: regVerdict, IsDestRegSet: true, SetName: s.Map}), err
	case nft.Lookup:
		es, err := loadTuple(s.Key)
		return append(es, &expr.Lookup{SourceRegister: reg1, SetName: s.Set}), err
	case nft.Update:
		es, err := loadTuple(s.Key)
		return append(es, &expr.Dynset{SrcRegKey: reg1, SetName: s.Set, Operation: unix.NFT_DYNSET_OP_UPDATE, Timeout: s.Timeout}), err
	case nft.Remove:
		es, err := loadTuple(s.Key)
		return append(es, &expr.Dynset{SrcRegKey: reg1, SetName: s.Set, Operation: dynsetDelete}), err
	case nft.SetMark:
		return encodeSetMark(s), nil
	case nft.Counter:
		return []expr.Any{&expr.Counter{}}, nil
	case nft.Verdict:
		v, err := encodeVerdict(s)
		return []expr.Any{v}, err
	case nft.Reject:
		return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: s.Code}}, nil
	case nft.NAT:
		return encodeNAT(s), nil
	case nft.NATMap:
		es, err := loadMasked(s.Field, "")
		return append(es,
			&expr.Lookup{SourceRegister: reg1, DestRegister: reg1, IsDestRegSet: true, SetName: s.Map},
			&expr.NAT{Type: natType(s.Kind), Family: unix.NFPROTO_IPV4, RegAddrMin: reg1, RegAddrMax: reg1}), err
	case nft.Masquerade:
		return []expr.Any{&expr.Masq{}}, nil
	}
	return nil, fmt.Errorf("statement %q cannot be written", s)
}

func mask(v nft.Value, bits, xor []byte) expr.Any {
	return &expr.Bitwise{SourceRegister: reg1, DestRegister: reg1, Len: uint32(len(v)), Mask: bits, Xor: xor}
}

func loadMasked(f nft.Field, m nft.Value) ([]expr.Any, error) {
	l, err := load(f)
	if err != nil {
		return nil, err
	}
	if m == "" {
		return []expr.Any{l}, nil
	}
	return []expr.Any{l, mask(m, []byte(m), make([]byte, len(m)))}, nil
}

func encodeMatch(m nft.Match) ([]expr.Any, error) {
	bits := m.Mask
	if m.Field.Flags() {
		bits = m.Value
	}
	es, err := loadMasked(m.Field, bits)
	if err != nil {
		return nil, err
	}
	op := expr.CmpOpEq
	if m.Not {
		op = expr.CmpOpNeq
	}
	switch {
	case m.Set != "":
		return append(es, &expr.Lookup{SourceRegister: reg1, SetName: m.Set, Invert: m.Not}), nil
	case m.Field.Flags():
		op = expr.CmpOpNeq
		if m.Not {
			op = expr.CmpOpEq
		}
		return append(es, &expr.Cmp{Op: op, Register: reg1, Data: make([]byte, len(m.Value))}), nil
	case m.To != "":
		return append(es, &expr.Range{Op: op, Register: reg1, FromData: []byte(m.Value), ToData: []byte(m.To)}), nil
	}
	return append(es, &expr.Cmp{Op: op, Register: reg1, Data: []byte(m.Value)}), nil
}

func encodeSetMark(s nft.SetMark) []expr.Any {
	value := nft.Uint32(s.Value)
	set := &expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: reg1}
	if s.Keep == 0 {
		return []expr.Any{&expr.Immediate{Register: reg1, Data: []byte(value)}, set}
	}
	keep := binaryutil.NativeEndian.PutUint32(s.Keep &^ s.Value)
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyMARK, Register: reg1}, mask(value, keep, []byte(value)), set}
}

func encodeVerdict(v nft.Verdict) (*expr.Verdict, error) {
	switch v.Kind {
	case nft.VerdictAccept:
		return &expr.Verdict{Kind: expr.VerdictAccept}, nil
	case nft.VerdictDrop:
		return &expr.Verdict{Kind: expr.VerdictDrop}, nil
	case nft.VerdictReturn:
		return &expr.Verdict{Kind: expr.VerdictReturn}, nil
	case nft.VerdictJump:
		return &expr.Verdict{Kind: expr.VerdictJump, Chain: v.Chain}, nil
	case nft.VerdictGoto:
		return &expr.Verdict{Kind: expr.VerdictGoto, Chain: v.Chain}, nil
	}
	return nil, fmt.Errorf("verdict %q is unknown", v.Kind)
}

func natType(k nft.NATKind) expr.NATType {
	if k == nft.DNAT {
		return expr.NATTypeDestNAT
	}
	return expr.NATTypeSourceNAT
}

func encodeNAT(n nft.NAT) []expr.Any {
	immediate := func(reg uint32, v nft.Value) expr.Any { return &expr.Immediate{Register: reg, Data: []byte(v)} }
	nat := &expr.NAT{Type: natType(n.Kind), Family: unix.NFPROTO_IPV4, RegAddrMin: reg1, RegAddrMax: reg2}
	es := []expr.Any{immediate(reg1, nft.Addr(n.From)), immediate(reg2, nft.Addr(n.To))}
	if n.PortFrom != 0 || n.PortTo != 0 {
		nat.RegProtoMin, nat.RegProtoMax, nat.Specified = reg3, reg4, true
		es = append(es, immediate(reg3, nft.Uint16(n.PortFrom)), immediate(reg4, nft.Uint16(n.PortTo)))
	}
	return append(es, nat)
}
