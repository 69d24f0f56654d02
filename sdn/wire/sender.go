package wire

import (
	"net/netip"

	"github.com/moatnet/moat/sdn"
)

func newSenders(senders []sdn.Sender) *[]Sender {
	out := make([]Sender, 0, len(senders))
	for _, s := range senders {
		d := Sender{MACAddr: Text(s.MAC), IPAddrs: []Text{}}
		for _, a := range s.Addrs {
			d.IPAddrs = append(d.IPAddrs, Text(a.String()))
		}
		out = append(out, d)
	}
	return &out
}

// senders reads a list that is there; an empty one is not nil.
func (c *check) senders(ds []Sender) []sdn.Sender {
	out := make([]sdn.Sender, 0, len(ds))
	for _, d := range ds {
		c.need("senders", d.MACAddr)
		s := sdn.Sender{MAC: c.mac("senders", d.MACAddr)}
		for _, text := range d.IPAddrs {
			a, err := netip.ParseAddr(string(text))
			if err != nil {
				c.fail("senders", "%q is not an IP address", clip(string(text)))
				continue
			}
			s.Addrs = append(s.Addrs, a)
		}
		out = append(out, s)
	}
	return out
}
