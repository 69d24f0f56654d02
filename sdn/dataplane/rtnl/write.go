package rtnl

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// vethInfoPeer is VETH_INFO_PEER of linux/veth.h.
const vethInfoPeer = 1

// NewLink describes an interface to be made.
type NewLink struct {
	Name string
	MAC  string // "" for the kernel's choice
	MTU  int    // bytes; 0 for the kernel's choice
}

func (l NewLink) encode(ae *netlink.AttributeEncoder) error {
	ae.String(unix.IFLA_IFNAME, l.Name)
	if l.MTU != 0 {
		ae.Uint32(unix.IFLA_MTU, uint32(l.MTU))
	}
	if l.MAC == "" {
		return nil
	}
	mac, err := net.ParseMAC(l.MAC)
	if err != nil {
		return fmt.Errorf("link %s: %w", l.Name, err)
	}
	ae.Bytes(unix.IFLA_ADDRESS, mac)
	return nil
}

// AddBridge makes a bridge without spanning tree or multicast snooping, that does
// not learn from frames of the link's own. VLAN filtering is off unless asked for,
// and some kernels refuse to hear of it.
func AddBridge(l NewLink) (Request, error) {
	return addLink(l, "bridge", func(ae *netlink.AttributeEncoder) error {
		ae.Uint32(unix.IFLA_BR_STP_STATE, 0)
		ae.Uint8(unix.IFLA_BR_MCAST_SNOOPING, 0)
		ae.Bytes(unix.IFLA_BR_MULTI_BOOLOPT, linkLocalLearning(true))
		return nil
	})
}

// noLinkLocalLearning is the bit of BR_BOOLOPT_NO_LL_LEARN of
// linux/if_bridge.h in a struct br_boolopt_multi.
const noLinkLocalLearning = 1

func linkLocalLearning(off bool) []byte {
	value := uint32(0)
	if off {
		value = noLinkLocalLearning
	}
	return binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, value), noLinkLocalLearning)
}

// AddVeth makes a veth pair in one step, its peer in the namespace that peerFD
// refers to.
func AddVeth(l, peer NewLink, peerFD int) (Request, error) {
	return addLink(l, "veth", func(ae *netlink.AttributeEncoder) error {
		in := netlink.NewAttributeEncoder()
		if err := peer.encode(in); err != nil {
			return err
		}
		in.Uint32(unix.IFLA_NET_NS_FD, uint32(peerFD))
		attrs, err := in.Encode()
		if err != nil {
			return err
		}
		ae.Bytes(vethInfoPeer|unix.NLA_F_NESTED, append(infomsg(0, 0, 0), attrs...))
		return nil
	})
}

func addLink(l NewLink, kind string, data func(*netlink.AttributeEncoder) error) (Request, error) {
	ae := netlink.NewAttributeEncoder()
	if err := l.encode(ae); err != nil {
		return Request{}, err
	}
	ae.Nested(unix.IFLA_LINKINFO, func(in *netlink.AttributeEncoder) error {
		in.String(unix.IFLA_INFO_KIND, kind)
		in.Nested(unix.IFLA_INFO_DATA, data)
		return nil
	})
	attrs, err := ae.Encode()
	if err != nil {
		return Request{}, fmt.Errorf("add %s %s: %w", kind, l.Name, err)
	}
	return Request{
		Text: "add " + kind + " " + l.Name, kind: unix.RTM_NEWLINK, flags: netlink.Create | netlink.Excl,
		data: append(infomsg(0, 0, 0), attrs...),
	}, nil
}

// LinkChange names what to set of an interface; nil fields stay as they are.
type LinkChange struct {
	Alias, MAC  *string
	MTU         *int
	Master      *int // index; 0 takes it out of its bridge
	Up, NoARP   *bool
	NamespaceFD *int // moves it

	AnswerARP *bool // of a bridge's port: whether the bridge may answer ARP for who is behind it
	Unlearned *bool // of a bridge: whether it learns no MACs from frames to group addresses of IEEE 802.1D

	Name string // for texts
}

// Empty says whether nothing is to be set.
func (c LinkChange) Empty() bool {
	return c.plain() && c.AnswerARP == nil && c.Unlearned == nil
}

func (c LinkChange) plain() bool {
	return c.Alias == nil && c.MAC == nil && c.MTU == nil && c.Master == nil && c.Up == nil && c.NoARP == nil && c.NamespaceFD == nil
}

// ChangeLink is all that it takes to change an interface: what is particular to
// a bridge's port needs a message of its own, once it is one.
func ChangeLink(index int, c LinkChange) ([]Request, error) {
	var out []Request
	if !c.plain() {
		r, err := SetLink(index, c)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	if c.AnswerARP != nil {
		r, err := setAnswerARP(index, c.Name, *c.AnswerARP)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	if c.Unlearned != nil {
		r, err := setUnlearned(index, c.Name, *c.Unlearned)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func setUnlearned(index int, name string, on bool) (Request, error) {
	return setOption(index, name, unix.IFLA_INFO_KIND, unix.IFLA_INFO_DATA, func(data *netlink.AttributeEncoder) error {
		data.Bytes(unix.IFLA_BR_MULTI_BOOLOPT, linkLocalLearning(on))
		return nil
	})
}

func setAnswerARP(index int, name string, on bool) (Request, error) {
	return setOption(index, name, unix.IFLA_INFO_SLAVE_KIND, unix.IFLA_INFO_SLAVE_DATA, func(data *netlink.AttributeEncoder) error {
		value := uint8(0)
		if on {
			value = 1
		}
		data.Uint8(unix.IFLA_BRPORT_PROXYARP_WIFI, value)
		return nil
	})
}

// setOption sets what is particular to a bridge or to its port.
func setOption(index int, name string, kind, options uint16, data func(*netlink.AttributeEncoder) error) (Request, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Nested(unix.IFLA_LINKINFO, func(in *netlink.AttributeEncoder) error {
		in.String(kind, "bridge")
		in.Nested(options, data)
		return nil
	})
	attrs, err := ae.Encode()
	if err != nil {
		return Request{}, fmt.Errorf("set option of link %s: %w", name, err)
	}
	return Request{Text: "set option of link " + name, kind: unix.RTM_NEWLINK, data: append(infomsg(index, 0, 0), attrs...)}, nil
}

// SetLink changes an interface, but not what is particular to a bridge's port.
func SetLink(index int, c LinkChange) (Request, error) {
	var flags, change uint32
	flag := func(want *bool, bit uint32) {
		if want == nil {
			return
		}
		change |= bit
		if *want {
			flags |= bit
		}
	}
	flag(c.Up, unix.IFF_UP)
	flag(c.NoARP, unix.IFF_NOARP)
	ae := netlink.NewAttributeEncoder()
	if c.NamespaceFD != nil {
		ae.Uint32(unix.IFLA_NET_NS_FD, uint32(*c.NamespaceFD))
	}
	if c.Alias != nil {
		ae.Bytes(unix.IFLA_IFALIAS, []byte(*c.Alias))
	}
	if c.MAC != nil {
		mac, err := net.ParseMAC(*c.MAC)
		if err != nil {
			return Request{}, fmt.Errorf("set link %s: %w", c.Name, err)
		}
		ae.Bytes(unix.IFLA_ADDRESS, mac)
	}
	if c.MTU != nil {
		ae.Uint32(unix.IFLA_MTU, uint32(*c.MTU))
	}
	if c.Master != nil {
		ae.Uint32(unix.IFLA_MASTER, uint32(*c.Master))
	}
	attrs, err := ae.Encode()
	if err != nil {
		return Request{}, fmt.Errorf("set link %s: %w", c.Name, err)
	}
	return Request{Text: "set link " + c.Name, kind: unix.RTM_SETLINK, data: append(infomsg(index, flags, change), attrs...)}, nil
}

// DelLink removes an interface; one that is gone is no error.
func DelLink(index int, name string) Request {
	return Request{Text: "delete link " + name, Gone: true, kind: unix.RTM_DELLINK, data: infomsg(index, 0, 0)}
}
