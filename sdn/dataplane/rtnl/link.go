package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// skipStats is RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h.
const skipStats = 1 << 3

// Link is an interface as the kernel shows it.
type Link struct {
	Index  int
	Name   string
	Kind   string // "bridge", "veth", ...; "" for hardware and loopback
	Alias  string
	MAC    string
	MTU    int // bytes
	Master int // index; 0 is none
	Peer   int // index of the other end, of a veth
	// PeerSpace is the number by which this namespace knows that of the other
	// end; -1 is this one.
	PeerSpace int
	Up        bool
	NoARP     bool
	Lower     bool // it has carrier

	AnswerARP bool // bridge port: the bridge may answer ARP for who is behind it
	Unlearned bool // bridge: it learns no MACs from frames to group addresses of IEEE 802.1D
}

func infomsg(index int, flags, change uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint32(b[8:], flags)
	binary.NativeEndian.PutUint32(b[12:], change)
	return b
}

// Links lists the interfaces of the namespace.
func (c *Conn) Links() ([]Link, error) {
	msgs, err := c.dump(unix.RTM_GETLINK, append(infomsg(0, 0, 0), noStats()...))
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	out := make([]Link, 0, len(msgs))
	for _, m := range msgs {
		l, err := parseLink(m.Data)
		if err != nil {
			return nil, fmt.Errorf("list links: %w", err)
		}
		out = append(out, l)
	}
	return out, nil
}

// Link looks one interface up by its name; false when there is none.
func (c *Conn) Link(name string) (Link, bool, error) {
	ae := netlink.NewAttributeEncoder()
	ae.String(unix.IFLA_IFNAME, name)
	ae.Uint32(unix.IFLA_EXT_MASK, skipStats)
	attrs, err := ae.Encode()
	if err != nil {
		return Link{}, false, fmt.Errorf("look up link %s: %w", name, err)
	}
	msgs, err := c.c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request},
		Data:   append(infomsg(0, 0, 0), attrs...),
	})
	if errors.Is(err, unix.ENODEV) {
		return Link{}, false, nil
	}
	if err != nil || len(msgs) == 0 {
		return Link{}, false, fmt.Errorf("look up link %s: %w", name, err)
	}
	l, err := parseLink(msgs[0].Data)
	return l, err == nil, err
}

func noStats() []byte {
	ae := netlink.NewAttributeEncoder()
	ae.Uint32(unix.IFLA_EXT_MASK, skipStats)
	b, _ := ae.Encode() // a fixed number always encodes
	return b
}

// ParseLink reads the payload of an RTM_NEWLINK or RTM_DELLINK message.
func ParseLink(data []byte) (Link, error) { return parseLink(data) }

func parseLink(data []byte) (Link, error) {
	if len(data) < unix.SizeofIfInfomsg {
		return Link{}, errors.New("link message is too short")
	}
	flags := binary.NativeEndian.Uint32(data[8:])
	l := Link{
		PeerSpace: -1,
		Index:     int(int32(binary.NativeEndian.Uint32(data[4:]))),
		Up:        flags&unix.IFF_UP != 0, NoARP: flags&unix.IFF_NOARP != 0, Lower: flags&unix.IFF_LOWER_UP != 0,
	}
	ad, err := netlink.NewAttributeDecoder(data[unix.SizeofIfInfomsg:])
	if err != nil {
		return Link{}, fmt.Errorf("link %d: %w", l.Index, err)
	}
	for ad.Next() {
		switch ad.Type() {
		case unix.IFLA_IFNAME:
			l.Name = ad.String()
		case unix.IFLA_IFALIAS:
			l.Alias = ad.String()
		case unix.IFLA_ADDRESS:
			l.MAC = net.HardwareAddr(ad.Bytes()).String()
		case unix.IFLA_MTU:
			l.MTU = int(ad.Uint32())
		case unix.IFLA_MASTER:
			l.Master = int(ad.Uint32())
		case unix.IFLA_LINK:
			l.Peer = int(ad.Uint32())
		case unix.IFLA_LINK_NETNSID:
			l.PeerSpace = int(ad.Int32())
		case unix.IFLA_LINKINFO:
			ad.Nested(l.parseInfo)
		}
	}
	if err := ad.Err(); err != nil {
		return Link{}, fmt.Errorf("link %d: %w", l.Index, err)
	}
	return l, nil
}

// parseInfo reads what is particular to a kind of interface or port. The kind
// comes before its data.
func (l *Link) parseInfo(in *netlink.AttributeDecoder) error {
	port := false
	for in.Next() {
		switch in.Type() {
		case unix.IFLA_INFO_KIND:
			l.Kind = in.String()
		case unix.IFLA_INFO_DATA:
			if l.Kind == "bridge" {
				in.Nested(l.parseBridge)
			}
		case unix.IFLA_INFO_SLAVE_KIND:
			port = in.String() == "bridge"
		case unix.IFLA_INFO_SLAVE_DATA:
			if port {
				in.Nested(l.parsePort)
			}
		}
	}
	return nil
}

func (l *Link) parseBridge(in *netlink.AttributeDecoder) error {
	for in.Next() {
		if b := in.Bytes(); in.Type() == unix.IFLA_BR_MULTI_BOOLOPT && len(b) >= 4 {
			l.Unlearned = binary.NativeEndian.Uint32(b)&noLinkLocalLearning != 0
		}
	}
	return nil
}

func (l *Link) parsePort(in *netlink.AttributeDecoder) error {
	for in.Next() {
		if in.Type() == unix.IFLA_BRPORT_PROXYARP_WIFI {
			l.AnswerARP = in.Uint8() != 0
		}
	}
	return nil
}
