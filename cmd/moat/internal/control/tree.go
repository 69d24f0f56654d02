package control

import (
	"fmt"
	"io"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// Tree prints a topology as a tree: routers, their filters, routes and ports,
// each bridge below the port it is linked to.
func (t Topology) Tree(w io.Writer) error {
	p := &tree{w: w, owner: map[sdn.PortID]string{}, bridges: map[sdn.DeviceID]Bridge{}}
	for _, r := range t.Routers {
		for _, port := range r.Ports {
			p.owner[port.ID] = "router " + r.Name
		}
	}
	for _, b := range t.Bridges {
		p.bridges[sdn.DeviceID(b.ID)] = b
	}
	for _, r := range t.Routers {
		p.router(r)
	}
	for _, b := range t.Bridges {
		if !p.printed(b) {
			p.line(0, "bridge %s (%s)", b.Name, b.ID)
			p.ports(b, 1)
		}
	}
	return p.err
}

type tree struct {
	w       io.Writer
	err     error
	owner   map[sdn.PortID]string
	bridges map[sdn.DeviceID]Bridge
	done    map[sdn.BridgeID]bool
}

func (p *tree) line(depth int, format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, strings.Repeat("  ", depth)+format+"\n", args...)
	}
}

func (p *tree) printed(b Bridge) bool { return p.done[b.ID] }

func (p *tree) router(r Router) {
	p.line(0, "router %s (%s)  namespace %s", r.Name, r.ID, r.Namespace)
	p.rules("in", r.Inbound)
	p.rules("out", r.Outbound)
	for _, route := range r.Routes {
		p.line(1, "route  %s", routeText(route))
	}
	for _, port := range r.Ports {
		p.line(1, "port   %s  %s%s", sdn.InterfaceName(port.ID), port.Address, p.joined(port))
		if b, ok := p.bridgeOf(port); ok {
			p.line(2, "bridge %s (%s)", b.Name, b.ID)
			p.ports(b, 3)
			if p.done == nil {
				p.done = map[sdn.BridgeID]bool{}
			}
			p.done[b.ID] = true
		}
	}
}

func (p *tree) rules(direction string, rules []sdn.Rule) {
	for _, r := range rules {
		p.line(1, "%-6s %d %s", direction, r.Position, RuleText(r))
	}
}

func (p *tree) bridgeOf(port sdn.Port) (Bridge, bool) {
	for _, b := range p.bridges {
		for _, bp := range b.Ports {
			if bp.ID == port.Peer {
				return b, true
			}
		}
	}
	return Bridge{}, false
}

func (p *tree) ports(b Bridge, depth int) {
	for _, port := range b.Ports {
		if port.Host != "" {
			p.line(depth, "port %s%s", port.ID, p.joined(port))
		}
	}
}

func (p *tree) joined(port sdn.Port) string {
	active := ""
	if port.Active {
		active = " active"
	}
	switch {
	case port.Host != "":
		return fmt.Sprintf("  bound to %s%s", port.Interface, active)
	case p.owner[port.Peer] != "":
		return "  linked to " + p.owner[port.Peer] + active
	case port.Peer != "":
		return "  linked" + active
	}
	return "  not linked"
}

func routeText(r sdn.Route) string {
	text := fmt.Sprintf("%-8s %s", r.Type, r.Dst)
	if r.Gateway.IsValid() {
		text += " via " + r.Gateway.String()
	}
	if r.NextHopPort != "" {
		text += " port " + sdn.InterfaceName(r.NextHopPort)
	}
	return text
}
