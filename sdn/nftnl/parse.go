package nftnl

import (
	"encoding/binary"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// newExpr is an empty expression of the kernel's name for it, nil for one that
// the model does not cover.
func newExpr(name string) expr.Any {
	switch name {
	case "meta":
		return &expr.Meta{}
	case "ct":
		return &expr.Ct{}
	case "payload":
		return &expr.Payload{}
	case "bitwise":
		return &expr.Bitwise{}
	case "cmp":
		return &expr.Cmp{}
	case "range":
		return &expr.Range{}
	case "lookup":
		return &expr.Lookup{}
	case "immediate":
		return &expr.Immediate{}
	case "nat":
		return &expr.NAT{}
	case "masq":
		return &expr.Masq{}
	case "reject":
		return &expr.Reject{}
	case "counter":
		return &expr.Counter{}
	case "dynset":
		return &expr.Dynset{}
	}
	return nil
}

func parseExpr(family byte, b []byte) (expr.Any, string, error) {
	ad, err := decodeAttributes(b)
	if err != nil {
		return nil, "", err
	}
	var name string
	var data []byte
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_EXPR_NAME:
			name = ad.String()
		case unix.NFTA_EXPR_DATA:
			data = ad.Bytes()
		}
	}
	e := newExpr(name)
	if err := ad.Err(); err != nil || e == nil {
		return nil, name, err
	}
	if err := expr.Unmarshal(family, data, e); err != nil {
		return nil, name, err
	}
	if i, ok := e.(*expr.Immediate); ok && i.Register == regVerdict {
		v := &expr.Verdict{}
		return v, name, expr.Unmarshal(family, data, v)
	}
	return e, name, nil
}

func decodeAttributes(b []byte) (*netlink.AttributeDecoder, error) {
	ad, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return nil, err
	}
	ad.ByteOrder = binary.BigEndian
	return ad, nil
}
