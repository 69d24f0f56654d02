package filter

import (
	"fmt"
	"strings"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// Priorities of a bridge's base chains; any but the bridge's own stages are far.
const (
	prioBridgeDown    = -230
	prioBridgePortIn  = -210
	prioBridgeIn      = -200
	prioBridgeOut     = -190
	prioBridgePortOut = -180
)

// Bridge translates the filters of a bridge and of its ports. Without any the
// bridge has no table. The error wraps sdn.ErrUnsupported, or sdn.ErrNotFound
// when there is no such bridge.
func Bridge(v sdn.View, installation string, id sdn.BridgeID) ([]nft.Table, error) {
	b, ok := v.Bridge(id)
	if !ok {
		return nil, fmt.Errorf("filters of bridge %s: %w", id, sdn.ErrNotFound)
	}
	d := newDevice(v, nft.Bridge, TablePrefix(installation)+"bridge-"+string(id), sdn.DeviceID(id))
	if err := d.bridge(b); err != nil {
		return nil, fmt.Errorf("filters of bridge %s: %w", id, err)
	}
	if len(d.table.Chains) == 0 {
		return nil, nil
	}
	return []nft.Table{d.table.Normal()}, nil
}

// bridgeStage is a hook at which filters of a bridge run: what goes from port
// to port is forwarded, what goes to or from the bridge's own interface (the
// port that a router reaches it by) is input or output.
type bridgeStage struct {
	name    string
	hook    nft.Hook
	in, out side
	match   nft.Field // tells the bridge's frames by the interface on this side
}

func (s bridgeStage) place(name string) place {
	return place{name: name + "-" + s.name, in: s.in, out: s.out, hasEther: true, bridge: true, unicastOut: true}
}

func (d *device) bridge(b sdn.Bridge) error {
	known := side{kind: sideInterface}
	own := side{kind: sidePort, port: d.ownPort(b)}
	inStages := []bridgeStage{{name: "arrival", hook: nft.Prerouting, in: known, match: nft.IIfName}}
	outStages := []bridgeStage{{name: "forward", hook: nft.Forward, in: known, out: known, match: nft.OIfName}}
	if own.port != "" {
		inStages = append(inStages, bridgeStage{name: "own", hook: nft.Output, in: own, match: nft.OIfName})
		outStages = append(outStages,
			bridgeStage{name: "own", hook: nft.Output, in: own, out: known, match: nft.OIfName},
			bridgeStage{name: "input", hook: nft.Input, in: known, out: own, match: nft.IIfName})
	}
	in := func(p sdn.Port) sdn.ChainID { return p.InboundFilter }
	out := func(p sdn.Port) sdn.ChainID { return p.OutboundFilter }
	for _, s := range inStages {
		if err := d.bridgePorts(b, in, s, s.in, "pin", prioBridgePortIn); err != nil {
			return err
		}
		if err := d.wholeBridge(b, b.InboundFilter, s, "in", prioBridgeIn); err != nil {
			return err
		}
	}
	for _, s := range outStages {
		if err := d.wholeBridge(b, b.OutboundFilter, s, "out", prioBridgeOut); err != nil {
			return err
		}
		if err := d.bridgePorts(b, out, s, s.out, "pout", prioBridgePortOut); err != nil {
			return err
		}
	}
	d.ownPortDown(b, own.port)
	if d.stateful {
		d.keepFlows(b, inStages, outStages)
	}
	return nil
}

// ownPortDown drops what passes the port that the bridge's own interface plays
// while that port's adminStateUp is false; the interface itself is the router's.
// What clients of DHCP ask of all reaches the bridge, which answers it.
func (d *device) ownPortDown(b sdn.Bridge, own sdn.PortID) {
	p, ok := d.view.Port(own)
	if !ok || p.AdminStateUp {
		return
	}
	toAll := nft.Match{Field: nft.EtherDst, Mask: multicastBit, Value: multicastBit}
	dhcp := nft.NewRule(match(nft.EtherType, nft.Uint16(etherIPv4)), toAll, match(nft.IPProto, nft.Uint8(protoUDP)), match(nft.DstPort, nft.Uint16(67)), nft.Accept())
	drop := func(f nft.Field) nft.Rule { return nft.NewRule(nft.Match{Field: f, Set: d.members(b)}, nft.Drop()) }
	d.filter("down-input", nft.Input, prioBridgeDown, nft.PolicyAccept, dhcp, drop(nft.IIfName))
	d.filter("down-own", nft.Output, prioBridgeDown, nft.PolicyAccept, drop(nft.OIfName))
}

// ownPort is the bridge port that the bridge's own interface plays.
func (d *device) ownPort(b sdn.Bridge) sdn.PortID {
	if b.Home.Self == "" {
		return ""
	}
	if self, ok := d.view.Port(b.Home.Self); ok {
		return self.Peer
	}
	return ""
}

// members makes the set of the interfaces of the bridge's ports.
func (d *device) members(b sdn.Bridge) string {
	var names []string
	for _, p := range d.view.PortsOf(sdn.DeviceID(b.ID)) {
		if name := d.ports[p.ID]; name != "" {
			names = append(names, name)
		}
	}
	d.addSet(interfaceSet("ports", names))
	return "ports"
}

func (d *device) wholeBridge(b sdn.Bridge, c sdn.ChainID, s bridgeStage, kind string, prio int32) error {
	if _, ok := d.view.Chain(c); !ok {
		return nil
	}
	chain, err := d.chain(s.place(kind), c, 0, nil)
	if err != nil {
		return err
	}
	d.filter(strings.Join([]string{"bridge", kind, s.name}, "-"), s.hook, prio, nft.PolicyAccept,
		nft.NewRule(nft.Match{Field: s.match, Set: d.members(b)}, nft.Jump(chain)))
	return nil
}

// bridgePorts makes the base chain of the ports' filters at a stage, where the
// port in question is known by its interface or is always the bridge's own.
func (d *device) bridgePorts(b sdn.Bridge, filter func(sdn.Port) sdn.ChainID, s bridgeStage, port side, kind string, prio int32) error {
	base := strings.Join([]string{"port", kind, s.name}, "-")
	p := s.place(kind)
	p.unicastOut = false
	if port.kind == sideInterface {
		f := nft.IIfName
		if kind == "pout" {
			f = nft.OIfName
		}
		return d.perPort(sdn.DeviceID(b.ID), filter, p, f, base, s.hook, prio)
	}
	own, _ := d.view.Port(port.port)
	if _, ok := d.view.Chain(filter(own)); !ok {
		return nil
	}
	chain, err := d.chain(p, filter(own), 0, nil)
	if err != nil {
		return err
	}
	d.filter(base, s.hook, prio, nft.PolicyAccept, nft.NewRule(nft.Match{Field: s.match, Set: d.members(b)}, nft.Jump(chain)))
	return nil
}
