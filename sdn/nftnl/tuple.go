package nftnl

import (
	"fmt"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/nft"
)

// dynsetDelete is NFT_DYNSET_OP_DELETE of linux/netfilter/nf_tables.h.
const dynsetDelete = 2

// register is the number of the register that begins with a word of 4 bytes:
// every fourth has the number of one of 16 bytes.
func register(word uint32) uint32 {
	if word%4 == 0 {
		return reg1 + word/4
	}
	return unix.NFT_REG32_00 + word
}

// tupleWords is the room for a tuple: all registers.
const tupleWords = 16

// width is how many words a loaded field fills; 0: it cannot be part of a tuple.
func width(load expr.Any) uint32 {
	switch l := load.(type) {
	case *expr.Payload:
		return (l.Len + 3) / 4
	case *expr.Meta:
		if l.Key == expr.MetaKeyIIFNAME || l.Key == expr.MetaKeyOIFNAME {
			return unix.IFNAMSIZ / 4
		}
	}
	return 0
}

// loadTuple puts fields of a packet into registers one after the other.
func loadTuple(t nft.Tuple) ([]expr.Any, error) {
	var out []expr.Any
	var next uint32
	for _, f := range t {
		l, err := load(f)
		if err != nil {
			return nil, err
		}
		n := width(l)
		if n == 0 {
			return nil, fmt.Errorf("field %q cannot be part of a key", f)
		}
		if next+n > tupleWords {
			return nil, fmt.Errorf("key %q has too many fields", t)
		}
		out = append(out, moved(l, register(next)))
		next += n
	}
	return out, nil
}

// moved is a load into another register.
func moved(load expr.Any, to uint32) expr.Any {
	if m, ok := load.(*expr.Meta); ok {
		at := *m
		at.Register = to
		return &at
	}
	at := *load.(*expr.Payload)
	at.DestRegister = to
	return &at
}

// loaded notes what a register was loaded from.
func (d *decoder) loaded(e expr.Any, to uint32) bool {
	if to == reg1 {
		d.load, d.more = e, nil
		return true
	}
	next := width(d.load)
	for _, l := range d.more {
		next += width(l)
	}
	if next == 0 || next >= tupleWords || width(e) == 0 || to != register(next) {
		return false
	}
	d.more = append(d.more, moved(e, reg1))
	return true
}

// tuple is what the registers hold.
func (d *decoder) tuple() (nft.Tuple, bool) {
	var t nft.Tuple
	for _, l := range append([]expr.Any{d.load}, d.more...) {
		d.load = l
		f, ok := d.field()
		if !ok {
			return nil, false
		}
		t = append(t, f)
	}
	return t, true
}

func (d *decoder) dynset(e *expr.Dynset) bool {
	key, ok := d.tuple()
	if !ok || e.SrcRegKey != reg1 || e.SrcRegData != 0 || e.Invert || len(e.Exprs) > 0 {
		return false
	}
	switch e.Operation {
	case unix.NFT_DYNSET_OP_UPDATE:
		d.emit(nft.Update{Key: key, Set: e.SetName, Timeout: e.Timeout})
	case dynsetDelete:
		d.emit(nft.Remove{Key: key, Set: e.SetName})
	default:
		return false
	}
	return true
}
