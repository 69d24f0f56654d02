package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Numbers of linux/neighbour.h that package unix lacks.
const (
	ndaProtocol = 12
	ntfSticky   = 1 << 6
)

// Neighbour is a permanent IPv4 neighbour of the interface with that index.
type Neighbour struct {
	Index    int
	Addr     netip.Addr
	MAC      string
	Protocol uint8
}

// Station is a permanent entry of a bridge's forwarding table. Index is that of
// the bridge's port, or of the bridge itself for what it takes in.
type Station struct {
	Index int
	MAC   string
	Own   bool // Index is the bridge's
}

type neighbour struct {
	index  int
	state  uint16
	addr   netip.Addr
	mac    string
	master int
	proto  uint8
}

// Neighbours lists the permanent IPv4 neighbours of the namespace.
func (c *Conn) Neighbours() ([]Neighbour, error) {
	all, err := c.neighbours(unix.AF_INET)
	if err != nil {
		return nil, fmt.Errorf("list neighbours: %w", err)
	}
	var out []Neighbour
	for _, n := range all {
		if n.state&unix.NUD_PERMANENT != 0 {
			out = append(out, Neighbour{Index: n.index, Addr: n.addr, MAC: n.mac, Protocol: n.proto})
		}
	}
	return out, nil
}

// Stations lists the static entries of the bridges of the namespace, and what
// the bridges themselves take in, which includes their own addresses.
func (c *Conn) Stations() ([]Station, error) {
	all, err := c.neighbours(unix.AF_BRIDGE)
	if err != nil {
		return nil, fmt.Errorf("list stations: %w", err)
	}
	var out []Station
	for _, n := range all {
		own := n.index == n.master && n.state&unix.NUD_PERMANENT != 0
		if n.master != 0 && (own || n.state&unix.NUD_NOARP != 0) {
			out = append(out, Station{Index: n.index, MAC: n.mac, Own: own})
		}
	}
	return out, nil
}

func (c *Conn) neighbours(family byte) ([]neighbour, error) {
	h := make([]byte, unix.SizeofNdMsg)
	h[0] = family
	msgs, err := c.dump(unix.RTM_GETNEIGH, h)
	if err != nil {
		return nil, err
	}
	out := make([]neighbour, 0, len(msgs))
	for _, m := range msgs {
		n, err := parseNeighbour(m.Data)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func parseNeighbour(data []byte) (neighbour, error) {
	if len(data) < unix.SizeofNdMsg {
		return neighbour{}, errors.New("neighbour message is too short")
	}
	n := neighbour{index: int(int32(binary.NativeEndian.Uint32(data[4:]))), state: binary.NativeEndian.Uint16(data[8:])}
	ad, err := netlink.NewAttributeDecoder(data[unix.SizeofNdMsg:])
	if err != nil {
		return neighbour{}, err
	}
	for ad.Next() {
		switch ad.Type() {
		case unix.NDA_DST:
			n.addr, _ = netip.AddrFromSlice(ad.Bytes())
		case unix.NDA_LLADDR:
			n.mac = net.HardwareAddr(ad.Bytes()).String()
		case unix.NDA_MASTER:
			n.master = int(ad.Uint32())
		case ndaProtocol:
			n.proto = ad.Uint8()
		}
	}
	return n, ad.Err()
}

// StationPort looks up behind which interface a bridge has a MAC; false when it
// does not know, or takes it in itself.
func (c *Conn) StationPort(bridge int, mac net.HardwareAddr) (int, bool, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.NDA_LLADDR, mac)
	attrs, err := ae.Encode()
	if err != nil {
		return 0, false, fmt.Errorf("look up station %s: %w", mac, err)
	}
	msgs, err := c.c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETNEIGH, Flags: netlink.Request},
		Data:   append(ndmsg(unix.AF_BRIDGE, bridge, 0, unix.NTF_SELF), attrs...),
	})
	if isGone(err) {
		return 0, false, nil
	}
	if err != nil || len(msgs) == 0 {
		return 0, false, fmt.Errorf("look up station %s: %w", mac, err)
	}
	n, err := parseNeighbour(msgs[0].Data)
	return n.index, err == nil && n.index != bridge, err
}

func ndmsg(family byte, index int, state uint16, flags byte) []byte {
	b := make([]byte, unix.SizeofNdMsg)
	b[0], b[10] = family, flags
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint16(b[8:], state)
	return b
}

// PutNeighbour makes a permanent neighbour, in place of any with its address.
func PutNeighbour(n Neighbour) (Request, error) {
	q, err := neighbourRequest(n, unix.RTM_NEWNEIGH)
	q.Text, q.flags = "add neighbour "+n.Addr.String(), netlink.Create|netlink.Replace
	return q, err
}

// DelNeighbour removes a neighbour; one that is gone is no error.
func DelNeighbour(n Neighbour) (Request, error) {
	q, err := neighbourRequest(n, unix.RTM_DELNEIGH)
	q.Text, q.Gone = "delete neighbour "+n.Addr.String(), true
	return q, err
}

func neighbourRequest(n Neighbour, kind uint16) (Request, error) {
	mac, err := net.ParseMAC(n.MAC)
	if err != nil {
		return Request{}, fmt.Errorf("neighbour %s: %w", n.Addr, err)
	}
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.NDA_DST, n.Addr.AsSlice())
	if kind == unix.RTM_NEWNEIGH {
		ae.Bytes(unix.NDA_LLADDR, mac)
		ae.Uint8(ndaProtocol, n.Protocol)
	}
	attrs, err := ae.Encode()
	if err != nil {
		return Request{}, fmt.Errorf("neighbour %s: %w", n.Addr, err)
	}
	return Request{kind: kind, data: append(ndmsg(unix.AF_INET, n.Index, unix.NUD_PERMANENT, 0), attrs...)}, nil
}

// PutStation makes a static entry that no frame moves to another port.
func PutStation(s Station) (Request, error) {
	q, err := stationRequest(s, unix.RTM_NEWNEIGH)
	q.Text, q.flags = "add station "+s.MAC, netlink.Create|netlink.Replace
	return q, err
}

// DelStation removes an entry; one that is gone, or at another port, is no
// error.
func DelStation(s Station) (Request, error) {
	q, err := stationRequest(s, unix.RTM_DELNEIGH)
	q.Text, q.Gone = "delete station "+s.MAC, true
	return q, err
}

func stationRequest(s Station, kind uint16) (Request, error) {
	mac, err := net.ParseMAC(s.MAC)
	if err != nil {
		return Request{}, fmt.Errorf("station %s: %w", s.MAC, err)
	}
	state, flags := uint16(unix.NUD_NOARP), byte(unix.NTF_MASTER|ntfSticky)
	if s.Own {
		state, flags = unix.NUD_PERMANENT, unix.NTF_SELF
	}
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.NDA_LLADDR, mac)
	attrs, err := ae.Encode()
	if err != nil {
		return Request{}, fmt.Errorf("station %s: %w", s.MAC, err)
	}
	return Request{kind: kind, data: append(ndmsg(unix.AF_BRIDGE, s.Index, state, flags), attrs...)}, nil
}
