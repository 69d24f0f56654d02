package plan

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/moatnet/moat/sdn/nft"
)

// String prints the namespace as commands, in the order in which they would
// have to be typed.
func (n Namespace) String() string {
	p := printer{name: n.Name, ip: "ip"}
	if n.Name != "" {
		p.ip, p.in = "ip -n "+n.Name, "ip netns exec "+n.Name+" "
		p.line("ip netns add %s", n.Name)
	}
	for _, s := range n.Sysctls {
		p.line("%ssysctl -w %s=%s", p.in, s.Key, s.Value)
	}
	for _, l := range n.Links {
		p.link(l)
	}
	for _, a := range n.Addresses {
		p.line("%s address add %s dev %s noprefixroute", p.ip, a.Prefix, a.Dev)
	}
	for _, r := range n.Routes {
		p.line("%s route add %s", p.ip, r)
	}
	for _, r := range n.Rules {
		p.line("%s rule add from %s lookup %d priority %d protocol %d", p.ip, r.Src, r.Table, r.Priority, RouteProtocol)
	}
	for _, e := range n.Neighbours {
		p.line("%s neighbour add %s lladdr %s dev %s nud permanent protocol %d", p.ip, e.Addr, e.MAC, e.Dev, RouteProtocol)
	}
	for _, e := range n.Stations {
		p.station(n, e)
	}
	if len(n.Tables) > 0 {
		p.line("%snft -f - <<EOF\n%sEOF", p.in, nft.Print(n.Tables))
	}
	for _, d := range n.DHCP {
		for _, h := range d.Hosts {
			p.line("# DHCP on %s: %s of %s is given %s", d.Dev, h.MAC, h.Subnet, h.Addr)
		}
	}
	for _, u := range n.Unrealised {
		p.line("# not realised: %s", u)
	}
	return p.String()
}

type printer struct {
	strings.Builder
	name   string // of the namespace
	ip, in string // what a line starts with: the ip command, and any other
}

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *printer) link(l Link) {
	switch l.Kind {
	case BridgeLink:
		p.line("%s link add %s%s type bridge stp_state 0 mcast_snooping 0 no_linklocal_learn 1", p.ip, l.Name, address(l))
	case VethLink:
		p.pair(l)
	}
	set := ""
	if l.Kind == BoundLink || l.Kind == VethLink && !p.makes(l) {
		set += address(l)
	}
	if l.Alias != "" {
		set += ` alias "` + l.Alias + `"`
	}
	if l.MTU != 0 {
		set += fmt.Sprintf(" mtu %d", l.MTU)
	}
	if l.Master != "" {
		set += " master " + l.Master
	}
	if l.NoARP {
		set += " arp off"
	}
	if l.Up {
		set += " up"
	}
	p.line("%s link set %s%s", p.ip, l.Name, set)
	if l.AnswerARP {
		p.line("%s link set %s type bridge_slave proxy_arp_wifi on", p.ip, l.Name)
	}
}

func (p *printer) station(n Namespace, s Station) {
	in := ""
	if n.Name != "" {
		in = "-n " + n.Name + " "
	}
	how := "master static sticky"
	if l, _ := n.Link(s.Dev); l.Kind == BridgeLink {
		how = "self permanent"
	}
	p.line("bridge %sfdb add %s dev %s %s", in, s.MAC, s.Dev, how)
}

// pair prints a veth pair once, at the end that comes first by namespace and
// name; the host's comes before all others.
func (p *printer) pair(l Link) {
	switch {
	case p.makes(l) && l.PeerNamespace == p.name:
		p.line("%s link add %s%s type veth peer name %s", p.ip, l.Name, address(l), l.Peer)
	case p.makes(l):
		p.line("%s link add %s%s type veth peer name %s netns %s", p.ip, l.Name, address(l), l.Peer, l.PeerNamespace)
	case l.PeerNamespace == "":
		p.line("# %s: made with its pair %s in the host's namespace", l.Name, l.Peer)
	default:
		p.line("# %s: made with its pair %s in %s", l.Name, l.Peer, l.PeerNamespace)
	}
}

func (p *printer) makes(l Link) bool {
	return cmp.Or(cmp.Compare(p.name, l.PeerNamespace), cmp.Compare(l.Name, l.Peer)) <= 0
}

func address(l Link) string {
	if l.MAC == "" {
		return ""
	}
	return " address " + l.MAC
}

// String prints the route as the arguments of ip route add.
func (r Route) String() string {
	b := &strings.Builder{}
	if r.Type != Unicast {
		b.WriteString(string(r.Type) + " ")
	}
	b.WriteString(r.Dst.String())
	if len(r.Hops) == 1 {
		b.WriteString(hop(r.Hops[0]))
	}
	if r.Type == Unicast && len(r.Hops) == 1 && !r.Hops[0].Via.IsValid() {
		b.WriteString(" scope link")
	}
	fmt.Fprintf(b, " proto %d metric %d", RouteProtocol, r.Metric)
	if r.Table != 0 {
		fmt.Fprintf(b, " table %d", r.Table)
	}
	if len(r.Hops) > 1 {
		for _, h := range r.Hops {
			b.WriteString(" nexthop" + hop(h))
		}
	}
	return b.String()
}

func hop(h Hop) string {
	if h.Via.IsValid() {
		return fmt.Sprintf(" via %s dev %s onlink", h.Via, h.Dev)
	}
	return " dev " + h.Dev
}
