package wire

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/moatnet/moat/sdn"
)

// IPAddrGroup is resource IpAddrGroup-v1. The last four properties are
// internals of MidoNet that its API shows; here they are always empty.
type IPAddrGroup struct {
	URI             Text   `json:"uri"`
	ID              Text   `json:"id"`
	Name            Text   `json:"name"`
	Addrs           Text   `json:"addrs"`
	IPAddrPorts     []Text `json:"ipAddrPorts"`
	InboundChainID  Text   `json:"inboundChainId"`
	OutboundChainID Text   `json:"outboundChainId"`
	RuleIDs         []Text `json:"ruleIds"`
}

// IPAddrGroupAddr is resource IpAddrGroupAddr-v1.
type IPAddrGroupAddr struct {
	URI           Text `json:"uri"`
	IPAddrGroupID Text `json:"ipAddrGroupId"`
	Version       Int  `json:"version"`
	Addr          Text `json:"addr"`
}

// NewIPAddrGroup is the request body for a group of addresses: no links.
func NewIPAddrGroup(g sdn.IPAddrGroup) IPAddrGroup {
	return IPAddrGroup{ID: Text(g.ID), Name: Text(g.Name)}
}

// IPAddrGroup is the representation of a group of addresses, with its links.
func (u URIs) IPAddrGroup(g sdn.IPAddrGroup) IPAddrGroup {
	d := NewIPAddrGroup(g)
	d.URI = u.text(IPAddrGroups, string(g.ID))
	d.Addrs = u.text(IPAddrGroups, string(g.ID), IPAddrs)
	d.IPAddrPorts, d.RuleIDs = []Text{}, []Text{}
	return d
}

// Noun reads a representation.
func (d IPAddrGroup) Noun() (sdn.IPAddrGroup, error) {
	var c check
	c.need("name", d.Name)
	g := sdn.IPAddrGroup{ID: parseID[sdn.IPAddrGroupID](&c, "id", d.ID), Name: c.name(d.Name)}
	return g, c.err()
}

// ParseIPAddrGroup reads the body of a POST.
func ParseIPAddrGroup(body []byte) (sdn.IPAddrGroup, error) {
	var d IPAddrGroup
	if err := Decode(body, &d); err != nil {
		return sdn.IPAddrGroup{}, err
	}
	return d.Noun()
}

// NewIPAddrGroupAddr is the request body for an address: no links.
func NewIPAddrGroupAddr(a sdn.IPAddrGroupAddr) IPAddrGroupAddr {
	return IPAddrGroupAddr{IPAddrGroupID: Text(a.Group), Version: Int(version(a.Addr)), Addr: addrText(a.Addr)}
}

// IPAddrGroupAddr is the representation of an address, with its URI.
func (u URIs) IPAddrGroupAddr(a sdn.IPAddrGroupAddr) IPAddrGroupAddr {
	d := NewIPAddrGroupAddr(a)
	d.URI = u.text(IPAddrGroups, string(a.Group), Versions, strconv.Itoa(version(a.Addr)), IPAddrs, a.Addr.String())
	return d
}

func version(a netip.Addr) int {
	if a.Is4() {
		return 4
	}
	return 6
}

// Noun reads a representation. The version selects the kind of address, so a
// wrong one is no violation of a property.
func (d IPAddrGroupAddr) Noun() (sdn.IPAddrGroupAddr, error) {
	if d.Version != 4 && d.Version != 6 {
		return sdn.IPAddrGroupAddr{}, fmt.Errorf("version %d is neither 4 nor 6: %w", d.Version, sdn.ErrInvalid)
	}
	var c check
	a := sdn.IPAddrGroupAddr{
		Group: parseID[sdn.IPAddrGroupID](&c, "ipAddrGroupId", d.IPAddrGroupID),
		Addr:  c.addrOf("addr", d.Addr, int(d.Version)),
	}
	return a, c.err()
}

// addrOf reads an address of IP version 4 or 6, without a zone.
func (c *check) addrOf(property string, v Text, of int) netip.Addr {
	a, err := netip.ParseAddr(string(v))
	if err != nil || a.Zone() != "" || version(a) != of {
		c.fail(property, "%q is not an address of IP version %d", clip(string(v)), of)
		return netip.Addr{}
	}
	return a
}

// ParseIPAddrGroupAddr reads the body of a POST. The group in it is ignored:
// the URI decides.
func ParseIPAddrGroupAddr(body []byte) (sdn.IPAddrGroupAddr, error) {
	var d IPAddrGroupAddr
	if err := Decode(body, &d); err != nil {
		return sdn.IPAddrGroupAddr{}, err
	}
	d.IPAddrGroupID = ""
	return d.Noun()
}

// ParseVersionedAddr reads the end of an address' URI: the IP version and the
// address, in any of its spellings.
func ParseVersionedAddr(v, addr string) (netip.Addr, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n != 4 && n != 6 {
		return netip.Addr{}, fmt.Errorf("version %q is neither 4 nor 6: %w", clip(v), sdn.ErrInvalid)
	}
	var c check
	a := c.addrOf("addr", Text(addr), n)
	return a, c.err()
}
