package topology

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/moatnet/moat/sdn"
)

// contender makes random calls on the arena, and deletes what it made.
type contender struct {
	*arena
	rand  *rand.Rand
	top   func() *Topology
	mine  []sdn.PortID // of the bridge and the router
	rules []sdn.RuleID
}

const hoard = 6 // of ports and of rules, before some are deleted

func (c *contender) step(ctx context.Context) error {
	api := c.top()
	if len(c.mine) > hoard {
		id := c.mine[0]
		c.mine = c.mine[1:]
		return api.DeletePort(ctx, id)
	}
	if len(c.rules) > hoard {
		id := c.rules[0]
		c.rules = c.rules[1:]
		return api.DeleteRule(ctx, id)
	}
	calls := []func(context.Context, *Topology) error{
		c.port, c.port, c.farPort, c.routerPort, c.rule, c.rule, c.farRule, c.route, c.updateRouter, c.updateBridge,
		c.link, c.member, c.table, c.dhcp, c.address,
	}
	return calls[c.rand.IntN(len(calls))](ctx, api)
}

func (c *contender) one() sdn.PortID {
	if len(c.mine) == 0 {
		return sdn.NewID[sdn.PortID]()
	}
	return pick(c.rand, c.mine)
}

func (c *contender) port(ctx context.Context, api *Topology) error {
	p := bridgePort(c.bridge)
	p.ID = sdn.NewID[sdn.PortID]()
	c.mine = append(c.mine, p.ID) // it may be made although the call fails
	if c.rand.IntN(2) == 0 {
		p.InboundFilter = c.chain
	}
	if c.rand.IntN(2) == 0 {
		p.Host, p.Interface = c.host, fmt.Sprintf("eth%d", c.rand.IntN(200))
	}
	_, err := api.CreatePort(ctx, p)
	return err
}

// farPort is on the bridge that is being deleted, and hangs on the chain that is.
func (c *contender) farPort(ctx context.Context, api *Topology) error {
	b, chain := c.victims()
	p := bridgePort(b)
	p.OutboundFilter, p.Peer = chain, c.one()
	_, err := api.CreatePort(ctx, p)
	return err
}

func (c *contender) routerPort(ctx context.Context, api *Topology) error {
	p := routerPort(c.router)
	p.ID, p.Peer = sdn.NewID[sdn.PortID](), c.one()
	c.mine = append(c.mine, p.ID)
	_, err := api.CreatePort(ctx, p)
	return err
}

func (c *contender) rule(ctx context.Context, api *Topology) error {
	_, far := c.victims()
	r := sdn.Rule{ID: sdn.NewID[sdn.RuleID](), Chain: c.chain, Type: sdn.RuleDrop}
	switch c.rand.IntN(3) {
	case 0:
		r.Type, r.JumpChain = sdn.RuleJump, far
	case 1:
		r.Condition = sdn.Condition{InPortGroup: c.ports, DstGroup: c.addrs}
	}
	c.rules = append(c.rules, r.ID)
	_, err := api.CreateRule(ctx, r)
	return err
}

func (c *contender) farRule(ctx context.Context, api *Topology) error {
	_, far := c.victims()
	_, err := api.CreateRule(ctx, sdn.Rule{Chain: far, Type: sdn.RuleJump, JumpChain: c.chain, Position: 1 + c.rand.IntN(3)})
	return err
}

func (c *contender) route(ctx context.Context, api *Topology) error {
	_, err := api.CreateRoute(ctx, route(c.router, c.one()))
	return err
}

func (c *contender) updateRouter(ctx context.Context, api *Topology) error {
	_, far := c.victims()
	chains := []sdn.ChainID{"", c.chain, far}
	return api.UpdateRouter(ctx, sdn.Router{ID: c.router, TenantID: "a", InboundFilter: pick(c.rand, chains), LocalRedirect: pick(c.rand, chains), Forward: pick(c.rand, chains)})
}

func (c *contender) updateBridge(ctx context.Context, api *Topology) error {
	_, far := c.victims()
	return api.UpdateBridge(ctx, sdn.Bridge{ID: c.bridge, TenantID: "a", OutboundFilter: pick(c.rand, []sdn.ChainID{"", c.chain, far})})
}

func (c *contender) link(ctx context.Context, api *Topology) error {
	if c.rand.IntN(2) == 0 {
		return api.Unlink(ctx, c.one())
	}
	return api.Link(ctx, c.one(), c.one())
}

func (c *contender) member(ctx context.Context, api *Topology) error {
	m := sdn.PortGroupPort{Group: c.ports, Port: c.one()}
	if c.rand.IntN(3) == 0 {
		return api.RemovePortGroupPort(ctx, m)
	}
	return api.AddPortGroupPort(ctx, m)
}

func (c *contender) table(ctx context.Context, api *Topology) error {
	far, _ := c.victims()
	mac := fmt.Sprintf("02:00:00:00:00:%02x", c.rand.IntN(16))
	switch c.rand.IntN(4) {
	case 0:
		return api.AddIP4MAC(ctx, sdn.IP4MAC{Bridge: far, Addr: netip.AddrFrom4([4]byte{10, 1, 0, byte(c.rand.IntN(8))}), MAC: mac})
	case 1:
		return api.RemoveMACPort(ctx, sdn.MACPort{Bridge: c.bridge, MAC: mac, Port: c.one()})
	}
	return api.AddMACPort(ctx, sdn.MACPort{Bridge: c.bridge, MAC: mac, Port: c.one()})
}

// dhcp moves the bridge's subnet back and forth, under hosts that come and go,
// and gives the doomed bridge subnets.
func (c *contender) dhcp(ctx context.Context, api *Topology) error {
	far, _ := c.victims()
	here, there := netip.MustParsePrefix("10.1.0.0/16"), "10.2.0.0/16"
	if c.rand.IntN(2) == 0 {
		here, there = netip.MustParsePrefix("10.2.0.0/16"), "10.1.0.0/16"
	}
	h := sdn.DHCPHost{Bridge: c.bridge, Subnet: here, MAC: fmt.Sprintf("02:00:00:00:00:%02x", c.rand.IntN(16)), Addr: here.Addr().Next()}
	switch c.rand.IntN(6) {
	case 0:
		return api.UpdateDHCPSubnet(ctx, here, subnet(c.bridge, there))
	case 1:
		return api.DeleteDHCPHost(ctx, h.Bridge, here, h.MAC)
	case 2:
		return api.CreateDHCPSubnet(ctx, subnet(far, there))
	case 3:
		return api.DeleteDHCPSubnet(ctx, far, here)
	}
	if c.rand.IntN(2) == 0 {
		h.Bridge = far
	}
	return api.CreateDHCPHost(ctx, h)
}

func (c *contender) address(ctx context.Context, api *Topology) error {
	a := sdn.IPAddrGroupAddr{Group: c.addrs, Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(c.rand.IntN(32))})}
	if c.rand.IntN(2) == 0 {
		return api.RemoveIPAddrGroupAddr(ctx, a)
	}
	return api.AddIPAddrGroupAddr(ctx, a)
}
