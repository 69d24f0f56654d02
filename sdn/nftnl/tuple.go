package nftnl

import (
	"fmt"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/nft"
)

// dynsetDelete is NFT_DYNSET_OP_DELETE of linux/netfilter/nf_tables.h.
const dynsetDelete = 2

// tupleRegisters are those that hold the fields of a tuple, 4 bytes each, one
// after the other; every fourth has the number of one of 16 bytes.
func tupleRegisters() []uint32 {
	return []uint32{reg1, unix.NFT_REG32_01, unix.NFT_REG32_02, unix.NFT_REG32_03, reg2}
}

// loadTuple puts fields of a packet into registers one after the other.
func loadTuple(t nft.Tuple) ([]expr.Any, error) {
	registers := tupleRegisters()
	if len(t) > len(registers) {
		return nil, fmt.Errorf("key %q has too many fields", t)
	}
	var out []expr.Any
	for i, f := range t {
		l, err := load(f)
		if err != nil {
			return nil, err
		}
		p, ok := l.(*expr.Payload)
		if !ok {
			return nil, fmt.Errorf("field %q cannot be part of a key", f)
		}
		at := *p
		at.DestRegister = registers[i]
		out = append(out, &at)
	}
	return out, nil
}

// payload notes what a register was loaded from.
func (d *decoder) payload(p *expr.Payload) bool {
	registers := tupleRegisters()
	if p.DestRegister == reg1 {
		d.load, d.more = p, nil
		return true
	}
	if d.load == nil || len(d.more)+1 >= len(registers) || p.DestRegister != registers[len(d.more)+1] {
		return false
	}
	at := *p
	at.DestRegister = reg1
	d.more = append(d.more, &at)
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
