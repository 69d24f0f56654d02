package lab

import (
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
)

// Up takes an interface of the caller's own namespace up.
func Up(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find %s: %w", name, err)
	}
	return netlink.LinkSetUp(link)
}

// End is one end of a cable.
type End struct {
	In        *Namespace
	Interface string
	Address   netip.Prefix // invalid: none
}

// Cable joins two namespaces by a veth pair with addresses, both ends up.
func (l *Lab) Cable(a, b End) error {
	err := a.In.Do(func() error {
		veth := netlink.NewVeth(netlink.NewLinkAttrs())
		veth.Name, veth.PeerName = a.Interface, b.Interface
		veth.PeerNamespace = netlink.NsFd(int(b.In.file.Fd()))
		return netlink.LinkAdd(veth)
	})
	if err != nil {
		return fmt.Errorf("cable %s to %s: %w", a.In.Name, b.In.Name, err)
	}
	for _, e := range []End{a, b} {
		if err := e.In.Do(e.configure); err != nil {
			return fmt.Errorf("cable end %s in %s: %w", e.Interface, e.In.Name, err)
		}
	}
	return nil
}

func (e End) configure() error {
	link, err := netlink.LinkByName(e.Interface)
	if err != nil {
		return err
	}
	if e.Address.IsValid() {
		addr := &netlink.Addr{IPNet: ipNet(e.Address)}
		if err := netlink.AddrAdd(link, addr); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(link)
}

// Route adds a route by way of a gateway.
func (n *Namespace) Route(dst netip.Prefix, via netip.Addr) error {
	err := n.Do(func() error {
		return netlink.RouteAdd(&netlink.Route{Dst: ipNet(dst), Gw: net.IP(via.AsSlice())})
	})
	if err != nil {
		return fmt.Errorf("route %s via %s in %s: %w", dst, via, n.Name, err)
	}
	return nil
}

// Sysctl writes a value below /proc/sys, as seen from the namespace. A name
// that this kernel lacks is an error.
func (n *Namespace) Sysctl(name, value string) error {
	return n.Do(func() error {
		return os.WriteFile("/proc/sys/"+name, []byte(value), 0o644)
	})
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: net.IP(p.Addr().AsSlice()), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
