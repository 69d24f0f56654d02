package filter

import (
	"net"
	"net/netip"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// Entry is an interface on a bridge, and who may send frames into it; without
// senders anyone may.
type Entry struct {
	Interface string
	Senders   []sdn.Sender
}

// The sets of a namespace's table of senders.
const (
	setAnySender = "any"
	setMACs      = "macs"
	setIPv4      = "ipv4"
	setIPv6      = "ipv6"
)

// prioSenders is before everything else that a bridge does with a frame, its
// learning of MACs included.
const prioSenders = -300

// SendersTable is the name of the table that Senders makes.
func SendersTable(installation string) string { return TablePrefix(installation) + "senders" }

// Senders is the table of a namespace with bridges that lets frames in by the
// interfaces of its entries alone, and from their senders alone. An entry is a
// few elements of sets, and no rule.
func Senders(installation string, entries []Entry) nft.Table {
	t := nft.Table{Family: nft.Bridge, Name: SendersTable(installation), Sets: append(sendersSets(entries), extensions())}
	base := nft.Base{Type: nft.FilterChain, Hook: nft.Prerouting, Priority: prioSenders, Policy: nft.PolicyDrop}
	t.Chains = []nft.Chain{
		{Name: "arrival", Base: &base, Rules: []nft.Rule{
			nft.NewRule(nft.Match{Field: nft.IIfName, Set: setAnySender}, nft.Accept()),
			nft.NewRule(nft.Lookup{Key: nft.Tuple{nft.IIfName, nft.EtherSrc}, Set: setMACs}, nft.Goto("sender")),
			forged(),
		}},
		{Name: "sender", Rules: senderRules()},
		{Name: "ipv4", Rules: sentIPv4()},
		{Name: "arp", Rules: sentARP()},
		{Name: "ipv6", Rules: sentIPv6()},
		{Name: "ipv6-known", Rules: sentIPv6Known()},
		{Name: "nd-solicit", Rules: sentSolicitation()},
		{Name: "nd-option", Rules: sentOption()},
		{Name: "forged", Rules: []nft.Rule{nft.NewRule(nft.Counter{}, nft.Drop())}},
	}
	return t.Normal()
}

// SendersPart is that table with no more than the elements of some entries: the
// difference of two parts is what a change of these entries is to the whole.
func SendersPart(installation string, entries []Entry) nft.Table {
	return nft.Table{Family: nft.Bridge, Name: SendersTable(installation), Sets: sendersSets(entries)}
}

func sendersSets(entries []Entry) []nft.Set {
	open := nft.Set{Name: setAnySender, Key: nft.TypeIfname}
	macs := nft.Set{Name: setMACs, Key: nft.TypeSender}
	v4 := nft.Set{Name: setIPv4, Key: nft.TypeSender4}
	v6 := nft.Set{Name: setIPv6, Key: nft.TypeSender6}
	for _, e := range entries {
		in := nft.Iface(e.Interface)
		if len(e.Senders) == 0 {
			open.Elements = append(open.Elements, nft.Element{Key: in})
		}
		for _, s := range e.Senders {
			mac, err := net.ParseMAC(s.MAC)
			if err != nil || len(mac) != 6 {
				continue // the topology holds none such; nothing is let in for it
			}
			macs.Elements = append(macs.Elements, nft.Element{Key: nft.Joined(in, nft.MAC(mac))})
			own := linkLocal(mac)
			v6.Elements = append(v6.Elements, nft.Element{Key: nft.Joined(in, nft.MAC(mac), nft.Addr(own))})
			for _, a := range s.Addrs {
				el := nft.Element{Key: nft.Joined(in, nft.MAC(mac), nft.Addr(a))}
				switch {
				case a.Is4():
					v4.Elements = append(v4.Elements, el)
				case a != own:
					v6.Elements = append(v6.Elements, el)
				}
			}
		}
	}
	return []nft.Set{open, macs, v4, v6}
}

// linkLocal is the address that is made of a MAC (RFC 4291, appendix A).
func linkLocal(m net.HardwareAddr) netip.Addr {
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
}
