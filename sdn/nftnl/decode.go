package nftnl

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/nft"
)

// decoder turns a rule's expressions back into statements. It keeps what the
// registers hold until the expression comes that uses them.
type decoder struct {
	out   []nft.Statement
	load  expr.Any      // what register 1 was loaded from
	more  []expr.Any    // what the following ones were loaded from: a tuple
	bits  *expr.Bitwise // applied to it
	value map[uint32][]byte
	table string // map that register 1 was looked up in
	six   bool   // a statement before says that this is IPv6
}

func decodeRule(family byte, exprs [][]byte) ([]nft.Statement, error) {
	d := &decoder{value: map[uint32][]byte{}}
	for _, b := range exprs {
		e, name, err := parseExpr(family, b)
		if err != nil {
			return nil, fmt.Errorf("expression %s: %w", name, err)
		}
		if e == nil || !d.take(e) {
			d.emit(nft.Unknown{What: name})
		}
	}
	return d.out, nil
}

func (d *decoder) emit(s nft.Statement) {
	d.out = append(d.out, s)
	if m, ok := s.(nft.Match); ok && m.Field == nft.IP6Next {
		d.six = true
	}
	d.load, d.more, d.bits, d.table = nil, nil, nil, ""
	clear(d.value)
}

// take reads one expression and reports whether it understood it.
func (d *decoder) take(e expr.Any) bool {
	switch e := e.(type) {
	case *expr.Meta:
		if e.SourceRegister {
			return d.setMark(e)
		}
		return d.loaded(e, e.Register)
	case *expr.Ct:
		d.load = e
	case *expr.Payload:
		return d.loaded(e, e.DestRegister)
	case *expr.Dynset:
		return d.dynset(e)
	case *expr.Bitwise:
		d.bits = e
	case *expr.Immediate:
		d.value[e.Register] = e.Data
	case *expr.Cmp:
		return d.cmp(e)
	case *expr.Range:
		f, ok := d.field()
		if !ok || e.Op > expr.CmpOpNeq {
			return false
		}
		d.emit(nft.Match{Field: f, Not: e.Op == expr.CmpOpNeq, Value: nft.Value(e.FromData), To: nft.Value(e.ToData)})
	case *expr.Lookup:
		return d.lookup(e)
	case *expr.Verdict:
		return d.verdict(e)
	case *expr.NAT:
		return d.nat(e)
	case *expr.Masq:
		d.emit(nft.Masquerade{})
	case *expr.Reject:
		if e.Type != unix.NFT_REJECT_ICMP_UNREACH {
			return false
		}
		d.emit(nft.Reject{Code: e.Code})
	case *expr.Counter:
		d.emit(nft.Counter{})
	default:
		return false
	}
	return true
}

// field is what register 1 holds.
func (d *decoder) field() (nft.Field, bool) {
	for _, l := range loads() {
		switch l.field {
		case nft.IPFragment:
			if d.bits == nil {
				continue // an ARP operation, which is never masked
			}
		case nft.IPID, nft.ICMPType:
			if d.six {
				continue
			}
		}
		if d.load != nil && reflect.DeepEqual(l.expr, d.load) {
			return l.field, true
		}
	}
	return "", false
}

func (d *decoder) mask() nft.Value {
	if d.bits == nil {
		return ""
	}
	return nft.Value(d.bits.Mask)
}

func (d *decoder) cmp(e *expr.Cmp) bool {
	f, ok := d.field()
	if !ok || e.Op > expr.CmpOpNeq {
		return false
	}
	m := nft.Match{Field: f, Mask: d.mask(), Not: e.Op == expr.CmpOpNeq, Value: nft.Value(e.Data)}
	if f.Flags() {
		if d.bits == nil || len(bytes.Trim(e.Data, "\x00")) > 0 {
			return false
		}
		m = nft.Match{Field: f, Not: e.Op == expr.CmpOpEq, Value: d.mask()}
	}
	d.emit(m)
	return true
}

func (d *decoder) lookup(e *expr.Lookup) bool {
	if len(d.more) > 0 {
		key, ok := d.tuple()
		if ok = ok && !e.IsDestRegSet && !e.Invert; ok {
			d.emit(nft.Lookup{Key: key, Set: e.SetName})
		}
		return ok
	}
	f, ok := d.field()
	switch {
	case !ok:
		return false
	case !e.IsDestRegSet:
		d.emit(nft.Match{Field: f, Mask: d.mask(), Not: e.Invert, Set: e.SetName})
	case e.DestRegister == regVerdict:
		d.emit(nft.Vmap{Field: f, Mask: d.mask(), Map: e.SetName})
	default:
		d.table = e.SetName
	}
	return true
}

func (d *decoder) setMark(e *expr.Meta) bool {
	if e.Key != expr.MetaKeyMARK {
		return false
	}
	if d.bits == nil {
		v, ok := d.value[e.Register]
		if !ok || len(v) != 4 {
			return false
		}
		d.emit(nft.SetMark{Value: binary.NativeEndian.Uint32(v)})
		return true
	}
	f, ok := d.field()
	if !ok || f != nft.Mark || len(d.bits.Mask) != 4 || len(d.bits.Xor) != 4 {
		return false
	}
	d.emit(nft.SetMark{Keep: binary.NativeEndian.Uint32(d.bits.Mask), Value: binary.NativeEndian.Uint32(d.bits.Xor)})
	return true
}

func (d *decoder) verdict(e *expr.Verdict) bool {
	v, ok := verdictOf(e.Kind, e.Chain)
	if ok {
		d.emit(v)
	}
	return ok
}

func verdictOf(k expr.VerdictKind, chain string) (nft.Verdict, bool) {
	switch k {
	case expr.VerdictAccept:
		return nft.Accept(), true
	case expr.VerdictDrop:
		return nft.Drop(), true
	case expr.VerdictReturn:
		return nft.Return(), true
	case expr.VerdictJump:
		return nft.Jump(chain), true
	case expr.VerdictGoto:
		return nft.Goto(chain), true
	}
	return nft.Verdict{}, false
}

func (d *decoder) nat(e *expr.NAT) bool {
	kind := nft.SNAT
	if e.Type == expr.NATTypeDestNAT {
		kind = nft.DNAT
	}
	if d.table != "" {
		f, ok := d.field()
		if ok {
			d.emit(nft.NATMap{Kind: kind, Field: f, Map: d.table})
		}
		return ok
	}
	from, ok := netip.AddrFromSlice(d.value[e.RegAddrMin])
	to, okTo := netip.AddrFromSlice(d.value[e.RegAddrMax])
	if !ok || !okTo || e.Random || e.FullyRandom || e.Persistent || e.Prefix {
		return false
	}
	n := nft.NAT{Kind: kind, From: from, To: to}
	if e.RegProtoMin != 0 {
		lo, hi := d.value[e.RegProtoMin], d.value[e.RegProtoMax]
		if len(lo) != 2 || len(hi) != 2 {
			return false
		}
		n.PortFrom, n.PortTo = binary.BigEndian.Uint16(lo), binary.BigEndian.Uint16(hi)
	}
	d.emit(n)
	return true
}
