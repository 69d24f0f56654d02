package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Address is an IP address of the interface with that index.
type Address struct {
	Index  int
	Prefix netip.Prefix
}

// Addresses lists the addresses of all interfaces of the namespace.
func (c *Conn) Addresses() ([]Address, error) {
	msgs, err := c.dump(unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg))
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	out := make([]Address, 0, len(msgs))
	for _, m := range msgs {
		a, err := parseAddress(m.Data)
		if err != nil {
			return nil, fmt.Errorf("list addresses: %w", err)
		}
		out = append(out, a)
	}
	return out, nil
}

func parseAddress(data []byte) (Address, error) {
	if len(data) < unix.SizeofIfAddrmsg {
		return Address{}, errors.New("address message is too short")
	}
	a := Address{Index: int(binary.NativeEndian.Uint32(data[4:]))}
	ad, err := netlink.NewAttributeDecoder(data[unix.SizeofIfAddrmsg:])
	if err != nil {
		return Address{}, err
	}
	var local, peer netip.Addr
	for ad.Next() {
		switch ad.Type() {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(ad.Bytes())
		case unix.IFA_ADDRESS:
			peer, _ = netip.AddrFromSlice(ad.Bytes())
		}
	}
	if !local.IsValid() {
		local = peer
	}
	a.Prefix = netip.PrefixFrom(local, int(data[1]))
	return a, ad.Err()
}

// AddAddress gives an interface an address without a connected route.
func AddAddress(a Address) (Request, error) {
	r, err := addressRequest(a, unix.RTM_NEWADDR)
	r.Text, r.flags = "add address "+a.Prefix.String(), netlink.Create|netlink.Replace
	return r, err
}

// DelAddress takes an address away; one that is gone is no error.
func DelAddress(a Address) (Request, error) {
	r, err := addressRequest(a, unix.RTM_DELADDR)
	r.Text, r.Gone = "delete address "+a.Prefix.String(), true
	return r, err
}

func addressRequest(a Address, kind uint16) (Request, error) {
	h := make([]byte, unix.SizeofIfAddrmsg)
	h[0], h[1] = unix.AF_INET, byte(a.Prefix.Bits())
	if a.Prefix.Addr().Is6() {
		h[0] = unix.AF_INET6
	}
	binary.NativeEndian.PutUint32(h[4:], uint32(a.Index))
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.IFA_LOCAL, a.Prefix.Addr().AsSlice())
	ae.Bytes(unix.IFA_ADDRESS, a.Prefix.Addr().AsSlice())
	ae.Uint32(unix.IFA_FLAGS, unix.IFA_F_NOPREFIXROUTE)
	attrs, err := ae.Encode()
	if err != nil {
		return Request{}, fmt.Errorf("address %s: %w", a.Prefix, err)
	}
	return Request{kind: kind, data: append(h, attrs...)}, nil
}
