package wire

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// maxVLAN is the greatest value of a VLAN tag's 12 bits.
const maxVLAN = 4095

// MACPort is resource MacPort-v2. Its bridge stands in the URI alone.
type MACPort struct {
	URI     Text `json:"uri"`
	MACAddr Text `json:"macAddr"`
	PortID  Text `json:"portId"`
	VLANID  Int  `json:"vlanId"`
}

// IP4MAC is resource IP4Mac-v1. Its bridge stands in the URI alone.
type IP4MAC struct {
	URI Text `json:"uri"`
	IP  Text `json:"ip"`
	MAC Text `json:"mac"`
}

// NewMACPort is the request body for an entry of a MAC table: no links.
func NewMACPort(m sdn.MACPort) MACPort {
	return MACPort{MACAddr: Text(m.MAC), PortID: Text(m.Port), VLANID: Int(m.VLAN)}
}

// MACPort is the representation of an entry of a MAC table, with its URI.
func (u URIs) MACPort(m sdn.MACPort) MACPort {
	d := NewMACPort(m)
	d.URI = Text(u.MACTableOf(m.Bridge, m.VLAN)) + "/" + Text(dashed(m.MAC)+"_"+string(m.Port))
	return d
}

// MACTableOf is the URI of a bridge's MAC table for a VLAN; that of VLAN 0
// lists the entries of all.
func (u URIs) MACTableOf(bridge sdn.BridgeID, vlan uint16) string {
	if vlan == 0 {
		return u.At(Bridges, string(bridge), MACTable)
	}
	return u.At(Bridges, string(bridge), VLANs, strconv.Itoa(int(vlan)), MACTable)
}

func dashed(mac string) string { return strings.ReplaceAll(mac, ":", "-") }

// Noun reads a representation; the bridge is left out.
func (d MACPort) Noun() (sdn.MACPort, error) {
	var c check
	c.need("macAddr", d.MACAddr)
	c.need("portId", d.PortID)
	m := sdn.MACPort{
		VLAN: uint16(c.within("vlanId", d.VLANID, 0, maxVLAN)),
		MAC:  c.mac("macAddr", d.MACAddr),
		Port: parseID[sdn.PortID](&c, "portId", d.PortID),
	}
	return m, c.err()
}

// ParseMACPort reads the body of a POST.
func ParseMACPort(body []byte) (sdn.MACPort, error) {
	var d MACPort
	if err := Decode(body, &d); err != nil {
		return sdn.MACPort{}, err
	}
	return d.Noun()
}

// ParseMACPortKey reads the end of an entry's URI:
// "aa-bb-cc-dd-ee-ff_<port ID>". The error wraps sdn.ErrInvalid.
func ParseMACPortKey(key string) (mac string, port sdn.PortID, err error) {
	left, right, _ := strings.Cut(key, "_")
	m, err := MACPort{MACAddr: Text(left), PortID: Text(right)}.Noun()
	if err != nil {
		return "", "", badKey(key, "a MAC address, \"_\" and the ID of a port")
	}
	return m.MAC, m.Port, nil
}

// ParseVLAN reads a VLAN of a URI. The error wraps sdn.ErrInvalid.
func ParseVLAN(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n > maxVLAN {
		return 0, badKey(text, "a VLAN")
	}
	return uint16(n), nil
}

// NewIP4MAC is the request body for an entry of an ARP table: no links.
func NewIP4MAC(m sdn.IP4MAC) IP4MAC {
	return IP4MAC{IP: addrText(m.Addr), MAC: Text(m.MAC)}
}

// IP4MAC is the representation of an entry of an ARP table, with its URI.
func (u URIs) IP4MAC(m sdn.IP4MAC) IP4MAC {
	d := NewIP4MAC(m)
	d.URI = u.text(Bridges, string(m.Bridge), ARPTable, m.Addr.String()+"_"+dashed(m.MAC))
	return d
}

// Noun reads a representation; the bridge is left out.
func (d IP4MAC) Noun() (sdn.IP4MAC, error) {
	var c check
	c.need("ip", d.IP)
	c.need("mac", d.MAC)
	m := sdn.IP4MAC{Addr: c.ipv4("ip", d.IP), MAC: c.mac("mac", d.MAC)}
	return m, c.err()
}

// ParseIP4MAC reads the body of a POST.
func ParseIP4MAC(body []byte) (sdn.IP4MAC, error) {
	var d IP4MAC
	if err := Decode(body, &d); err != nil {
		return sdn.IP4MAC{}, err
	}
	return d.Noun()
}

// ParseIP4MACKey reads the end of an entry's URI: "10.0.0.1_aa-bb-cc-dd-ee-ff".
// The error wraps sdn.ErrInvalid.
func ParseIP4MACKey(key string) (netip.Addr, string, error) {
	left, right, _ := strings.Cut(key, "_")
	m, err := IP4MAC{IP: Text(left), MAC: Text(right)}.Noun()
	if err != nil {
		return netip.Addr{}, "", badKey(key, "an IPv4 address, \"_\" and a MAC address")
	}
	return m.Addr, m.MAC, nil
}

func badKey(key, wanted string) error {
	return fmt.Errorf("%q in the URI is not %s: %w", clip(key), wanted, sdn.ErrInvalid)
}
