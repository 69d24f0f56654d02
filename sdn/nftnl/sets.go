package nftnl

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/nft"
)

// setTypes lists the types that keys and data of sets may have, with nft's
// number and length for each.
func setTypes() map[nft.Type]nftables.SetDatatype {
	return map[nft.Type]nftables.SetDatatype{
		nft.TypeIfname:    nftables.TypeIFName,
		nft.TypeIPv4:      nftables.TypeIPAddr,
		nft.TypeIPv6:      nftables.TypeIP6Addr,
		nft.TypeEther:     nftables.TypeEtherAddr,
		nft.TypeEtherType: nftables.TypeEtherType,
		nft.TypeProto:     nftables.TypeInetProto,
		nft.TypeService:   nftables.TypeInetService,
		nft.TypeICMPType:  nftables.TypeICMPType,
		nft.TypeMark:      nftables.TypeMark,
		nft.TypeSender:    nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeEtherAddr),
		nft.TypeSender4:   nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeEtherAddr, nftables.TypeIPAddr),
		nft.TypeSender6:   nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeEtherAddr, nftables.TypeIP6Addr),
		nft.TypeFragment:  nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService),
		nft.TypeFlow:      nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService, nftables.TypeInetService),
	}
}

func typeOf(number uint32) nft.Type {
	for t, d := range setTypes() {
		if d.GetNFTMagic() == number {
			return t
		}
	}
	return nft.Type(fmt.Sprintf("type-%d", number))
}

// setFlags are those of the sets that Moat makes, roomFlags in addition those of
// sets that rules fill. Sets of others' making, with other flags, show in their
// type that they are different.
const (
	setFlags  = unix.NFT_SET_MAP
	roomFlags = unix.NFT_SET_TIMEOUT | unix.NFT_SET_EVAL
)

func (c *Conn) sets(family byte, table string) ([]nft.Set, error) {
	ms, err := c.dump(unix.NFT_MSG_GETSET, family, nameAttr(unix.NFTA_SET_TABLE, table))
	if err != nil {
		return nil, err
	}
	var out []nft.Set
	for _, m := range ms {
		s, err := decodeSet(m)
		if err != nil {
			return nil, err
		}
		if s.Room == 0 {
			if s.Elements, err = c.elements(family, table, s); err != nil {
				return nil, fmt.Errorf("set %s: %w", s.Name, err)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

func decodeSet(m netlink.Message) (nft.Set, error) {
	var s nft.Set
	var flags, data, size uint32
	err := attributes(m, func(ad *netlink.AttributeDecoder) error {
		switch ad.Type() {
		case unix.NFTA_SET_NAME:
			s.Name = ad.String()
		case unix.NFTA_SET_FLAGS:
			flags = ad.Uint32()
		case unix.NFTA_SET_KEY_TYPE:
			s.Key = typeOf(ad.Uint32())
		case unix.NFTA_SET_DATA_TYPE:
			data = ad.Uint32()
		case unix.NFTA_SET_DESC:
			return each(ad.Bytes(), func(ad *netlink.AttributeDecoder) error {
				if ad.Type() == unix.NFTA_SET_DESC_SIZE {
					size = ad.Uint32()
				}
				return nil
			})
		}
		return nil
	})
	switch {
	case flags == roomFlags && size > 0:
		s.Room = size
	case flags&^setFlags != 0:
		s.Key = nft.Type(fmt.Sprintf("%s-flags-%#x", s.Key, flags))
	case flags&unix.NFT_SET_MAP != 0 && data == unix.NFT_DATA_VERDICT:
		s.Data = nft.TypeVerdict
	case flags&unix.NFT_SET_MAP != 0:
		s.Data = typeOf(data)
	}
	return s, err
}

func (c *Conn) elements(family byte, table string, s nft.Set) ([]nft.Element, error) {
	ms, err := c.dump(unix.NFT_MSG_GETSETELEM, family,
		nameAttr(unix.NFTA_SET_ELEM_LIST_TABLE, table), nameAttr(unix.NFTA_SET_ELEM_LIST_SET, s.Name))
	if err != nil {
		return nil, err
	}
	var out []nft.Element
	for _, m := range ms {
		err := attributes(m, func(ad *netlink.AttributeDecoder) error {
			if ad.Type() != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
				return nil
			}
			return each(ad.Bytes(), func(ad *netlink.AttributeDecoder) error {
				e, err := decodeElement(ad.Bytes())
				out = append(out, e)
				return err
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func decodeElement(b []byte) (nft.Element, error) {
	var e nft.Element
	err := each(b, func(ad *netlink.AttributeDecoder) error {
		switch ad.Type() {
		case unix.NFTA_SET_ELEM_KEY:
			return each(ad.Bytes(), func(ad *netlink.AttributeDecoder) error {
				e.Key = nft.Value(ad.Bytes())
				return nil
			})
		case unix.NFTA_SET_ELEM_DATA:
			return each(ad.Bytes(), func(ad *netlink.AttributeDecoder) error {
				if ad.Type() == unix.NFTA_DATA_VALUE {
					e.Data = nft.Value(ad.Bytes())
					return nil
				}
				return decodeVerdict(ad.Bytes(), &e.Verdict)
			})
		}
		return nil
	})
	return e, err
}

func decodeVerdict(b []byte, v *nft.Verdict) error {
	var code int32
	var chain string
	err := each(b, func(ad *netlink.AttributeDecoder) error {
		switch ad.Type() {
		case unix.NFTA_VERDICT_CODE:
			code = int32(ad.Uint32())
		case unix.NFTA_VERDICT_CHAIN:
			chain = ad.String()
		}
		return nil
	})
	var known bool
	if *v, known = verdictOf(expr.VerdictKind(code), chain); !known {
		*v = nft.Verdict{Kind: nft.VerdictKind(fmt.Sprintf("verdict-%d", code))}
	}
	return err
}

func encodeSet(table nft.Table, s nft.Set, id uint32) ([]netlink.Attribute, error) {
	key, ok := setTypes()[s.Key]
	if !ok {
		return nil, fmt.Errorf("set %s: no keys of type %q", s.Name, s.Key)
	}
	order := uint32(2) // of the keys' bytes, for nft's printing: big endian
	if s.Key == nft.TypeMark || s.Key == nft.TypeIfname {
		order = 1
	}
	as := []netlink.Attribute{
		nameAttr(unix.NFTA_SET_TABLE, table.Name),
		nameAttr(unix.NFTA_SET_NAME, s.Name),
		number(unix.NFTA_SET_KEY_TYPE, key.GetNFTMagic()),
		number(unix.NFTA_SET_KEY_LEN, key.Bytes),
		number(unix.NFTA_SET_ID, id),
		{Type: unix.NFTA_SET_USERDATA, Data: userdata.AppendUint32(nil, userdata.NFTNL_UDATA_SET_KEYBYTEORDER, order)},
	}
	if s.Room > 0 {
		desc, err := nest(unix.NFTA_SET_DESC, number(unix.NFTA_SET_DESC_SIZE, s.Room))
		return append(as, number(unix.NFTA_SET_FLAGS, roomFlags), desc), err
	}
	if s.Data == "" {
		return append(as, number(unix.NFTA_SET_FLAGS, 0)), nil
	}
	as = append(as, number(unix.NFTA_SET_FLAGS, unix.NFT_SET_MAP))
	if s.Data == nft.TypeVerdict {
		return append(as, number(unix.NFTA_SET_DATA_TYPE, unix.NFT_DATA_VERDICT), number(unix.NFTA_SET_DATA_LEN, 0)), nil
	}
	data, ok := setTypes()[s.Data]
	if !ok {
		return nil, fmt.Errorf("map %s: no data of type %q", s.Name, s.Data)
	}
	return append(as, number(unix.NFTA_SET_DATA_TYPE, data.GetNFTMagic()), number(unix.NFTA_SET_DATA_LEN, data.Bytes)), nil
}

func number(kind uint16, n uint32) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: binary.BigEndian.AppendUint32(nil, n)}
}

// nest marshals attributes into the data of one that holds them.
func nest(kind uint16, as ...netlink.Attribute) (netlink.Attribute, error) {
	b, err := netlink.MarshalAttributes(as)
	return netlink.Attribute{Type: kind | unix.NLA_F_NESTED, Data: b}, err
}

func encodeElement(s nft.Set, e nft.Element) (netlink.Attribute, error) {
	key, err := nest(unix.NFTA_SET_ELEM_KEY, netlink.Attribute{Type: unix.NFTA_DATA_VALUE, Data: bytes.Clone([]byte(e.Key))})
	if err != nil || s.Data == "" {
		return list(key, err)
	}
	inner := netlink.Attribute{Type: unix.NFTA_DATA_VALUE, Data: []byte(e.Data)}
	if s.Data == nft.TypeVerdict {
		v, err := encodeVerdict(e.Verdict)
		if err != nil {
			return netlink.Attribute{}, err
		}
		as := []netlink.Attribute{{Type: unix.NFTA_VERDICT_CODE, Data: binary.BigEndian.AppendUint32(nil, uint32(v.Kind))}}
		if v.Chain != "" {
			as = append(as, nameAttr(unix.NFTA_VERDICT_CHAIN, v.Chain))
		}
		if inner, err = nest(unix.NFTA_DATA_VERDICT, as...); err != nil {
			return netlink.Attribute{}, err
		}
	}
	data, err := nest(unix.NFTA_SET_ELEM_DATA, inner)
	if err != nil {
		return netlink.Attribute{}, err
	}
	return list(key, nil, data)
}

func list(key netlink.Attribute, err error, rest ...netlink.Attribute) (netlink.Attribute, error) {
	if err != nil {
		return netlink.Attribute{}, err
	}
	return nest(unix.NFTA_LIST_ELEM, append([]netlink.Attribute{key}, rest...)...)
}
