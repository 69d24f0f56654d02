package rtnl

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Rule sends the lookups of packets with a source to a table.
type Rule struct {
	Src      netip.Prefix // IPv4
	Table    int
	Priority int // lower is asked first
	Protocol uint8
}

// sizeofRuleHeader is the size of struct fib_rule_hdr.
const sizeofRuleHeader = 12

// Rules lists the IPv4 policy rules of the namespace.
func (c *Conn) Rules() ([]Rule, error) {
	h := make([]byte, sizeofRuleHeader)
	h[0] = unix.AF_INET
	msgs, err := c.dump(unix.RTM_GETRULE, h)
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	out := make([]Rule, 0, len(msgs))
	for _, m := range msgs {
		r, err := parseRule(m.Data)
		if err != nil {
			return nil, fmt.Errorf("list rules: %w", err)
		}
		out = append(out, r)
	}
	return out, nil
}

func parseRule(data []byte) (Rule, error) {
	if len(data) < sizeofRuleHeader {
		return Rule{}, errors.New("rule message is too short")
	}
	r := Rule{Src: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Table: int(data[4])}
	ad, err := netlink.NewAttributeDecoder(data[sizeofRuleHeader:])
	if err != nil {
		return Rule{}, err
	}
	for ad.Next() {
		switch ad.Type() {
		case unix.FRA_SRC:
			a, _ := netip.AddrFromSlice(ad.Bytes())
			r.Src = netip.PrefixFrom(a, int(data[2]))
		case unix.FRA_TABLE:
			r.Table = int(ad.Uint32())
		case unix.FRA_PRIORITY:
			r.Priority = int(ad.Uint32())
		case unix.FRA_PROTOCOL:
			r.Protocol = ad.Uint8()
		}
	}
	return r, ad.Err()
}

// AddRule makes a rule; one that is there already is an error.
func AddRule(r Rule) (Request, error) {
	q, err := ruleRequest(r, unix.RTM_NEWRULE)
	q.Text, q.flags = "add rule for "+r.Src.String(), netlink.Create|netlink.Excl
	return q, err
}

// DelRule removes a rule; one that is gone is no error.
func DelRule(r Rule) (Request, error) {
	q, err := ruleRequest(r, unix.RTM_DELRULE)
	q.Text, q.Gone = "delete rule for "+r.Src.String(), true
	return q, err
}

func ruleRequest(r Rule, kind uint16) (Request, error) {
	h := make([]byte, sizeofRuleHeader)
	h[0], h[2], h[7] = unix.AF_INET, byte(r.Src.Bits()), unix.FR_ACT_TO_TBL
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.FRA_SRC, r.Src.Masked().Addr().AsSlice())
	ae.Uint32(unix.FRA_TABLE, uint32(r.Table))
	ae.Uint32(unix.FRA_PRIORITY, uint32(r.Priority))
	ae.Uint8(unix.FRA_PROTOCOL, r.Protocol)
	attrs, err := ae.Encode()
	if err != nil {
		return Request{}, fmt.Errorf("rule for %s: %w", r.Src, err)
	}
	return Request{kind: kind, data: append(h, attrs...)}, nil
}
