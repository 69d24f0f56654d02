package topology

import (
	"net"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/sdn"
)

// Limits of a port's senders: each is an element of the kernel's sets.
const (
	maxSenders     = 64
	maxSenderAddrs = 64
)

// senders demands MACs and addresses that one interface can have, and gives them
// their canonical form, in a list of its own.
func (c *checker) senders(in []sdn.Sender) []sdn.Sender {
	if !c.require(len(in) <= maxSenders, "senders", "holds %d entries, at most %d are possible", len(in), maxSenders) {
		return nil
	}
	var out []sdn.Sender
	for _, s := range in {
		mac, err := net.ParseMAC(s.MAC)
		if !c.require(err == nil && len(mac) == 6 && mac[0]&1 == 0, "senders", "%q is not a unicast MAC address", s.MAC) {
			continue
		}
		c.require(len(s.Addrs) <= maxSenderAddrs, "senders", "%s has %d addresses, at most %d are possible", mac, len(s.Addrs), maxSenderAddrs)
		to := sdn.Sender{MAC: mac.String()}
		for _, a := range s.Addrs {
			ok := a.IsValid() && !a.Is4In6() && a.Zone() == "" && !a.IsUnspecified() && !a.IsMulticast() && a != broadcast
			if c.require(ok, "senders", "%s is not an address that an interface can have", a) {
				to.Addrs = append(to.Addrs, a)
			}
		}
		slices.SortFunc(to.Addrs, netip.Addr.Compare)
		to.Addrs = slices.Compact(to.Addrs)
		c.require(!slices.ContainsFunc(out, func(o sdn.Sender) bool { return o.MAC == to.MAC }), "senders", "%s is named twice", mac)
		out = append(out, to)
	}
	return out
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
