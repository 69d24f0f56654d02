package topology

import (
	"context"
	"fmt"
	"slices"

	"github.com/moatnet/moat/sdn"
)

// MACPorts implements sdn.NeighbourAPI.
func (t *Topology) MACPorts(ctx context.Context, bridge sdn.BridgeID, vlan *uint16) ([]sdn.MACPort, error) {
	return read(ctx, t, func(g *graph) ([]sdn.MACPort, error) {
		if !g.has(sdn.KindBridge, string(bridge)) {
			return nil, missing(sdn.KindBridge, bridge)
		}
		list := g.MACPortsOf(bridge)
		if vlan == nil {
			return list, nil
		}
		return slices.DeleteFunc(list, func(m sdn.MACPort) bool { return m.VLAN != *vlan }), g.needVLAN(bridge, *vlan)
	})
}

// needVLAN needs a VLAN that the bridge has: the untagged one, or a port's.
func (g *graph) needVLAN(b sdn.BridgeID, vlan uint16) error {
	if vlan == 0 || slices.ContainsFunc(g.PortsOf(sdn.DeviceID(b)), func(p sdn.Port) bool { return p.VLAN == vlan }) {
		return nil
	}
	return refuse(sdn.ErrNotFound, "Bridge %s has no VLAN %d.", b, vlan)
}

// AddMACPort implements sdn.NeighbourAPI.
func (t *Topology) AddMACPort(ctx context.Context, m sdn.MACPort) error {
	if err := validMACPort(&m); err != nil {
		return err
	}
	_, err := t.write(ctx, func(x *txn) error {
		if err := parent(x, sdn.KindBridge, m.Bridge); err != nil {
			return err
		}
		p, err := look[sdn.Port](x, sdn.KindPort, m.Port)
		if err != nil {
			return err
		}
		if string(p.Device) != string(m.Bridge) {
			return invalid("portId", "is no port of this bridge")
		}
		if err := x.graph.needVLAN(m.Bridge, m.VLAN); err != nil {
			return err
		}
		if p.VLAN != m.VLAN {
			return invalid("vlanId", "is not the VLAN of the port")
		}
		x.pin(sdn.KindPort, string(m.Port))
		return x.create(sdn.KindMACPort, macPortID(m), m)
	})
	return err
}

// RemoveMACPort implements sdn.NeighbourAPI.
func (t *Topology) RemoveMACPort(ctx context.Context, m sdn.MACPort) error {
	if err := validMACPort(&m); err != nil {
		return err
	}
	return t.drop(ctx, m.Bridge, key{sdn.KindMACPort, macPortID(m)})
}

// drop removes an entry of a bridge on which nothing hangs.
func (t *Topology) drop(ctx context.Context, b sdn.BridgeID, k key) error {
	_, err := t.write(ctx, func(x *txn) error {
		if err := parent(x, sdn.KindBridge, b); err != nil {
			return err
		}
		if err := need(x, k.kind, k.id); err != nil {
			return err
		}
		x.remove(k)
		return nil
	})
	return err
}

// IP4MACs implements sdn.NeighbourAPI.
func (t *Topology) IP4MACs(ctx context.Context, bridge sdn.BridgeID) ([]sdn.IP4MAC, error) {
	return read(ctx, t, func(g *graph) ([]sdn.IP4MAC, error) {
		if !g.has(sdn.KindBridge, string(bridge)) {
			return nil, missing(sdn.KindBridge, bridge)
		}
		return g.IP4MACsOf(bridge), nil
	})
}

// AddIP4MAC implements sdn.NeighbourAPI.
func (t *Topology) AddIP4MAC(ctx context.Context, m sdn.IP4MAC) error {
	if err := validIP4MAC(&m); err != nil {
		return err
	}
	_, err := t.write(ctx, func(x *txn) error {
		if err := parent(x, sdn.KindBridge, m.Bridge); err != nil {
			return err
		}
		return x.create(sdn.KindIP4MAC, ip4MACID(m), m)
	})
	return err
}

// RemoveIP4MAC implements sdn.NeighbourAPI.
func (t *Topology) RemoveIP4MAC(ctx context.Context, m sdn.IP4MAC) error {
	if err := validIP4MAC(&m); err != nil {
		return err
	}
	return t.drop(ctx, m.Bridge, key{sdn.KindIP4MAC, ip4MACID(m)})
}

func macPortID(m sdn.MACPort) string {
	return fmt.Sprintf("%s/%d/%s/%s", m.Bridge, m.VLAN, m.MAC, m.Port)
}

func ip4MACID(m sdn.IP4MAC) string {
	return fmt.Sprintf("%s/%s/%s", m.Bridge, m.Addr, m.MAC)
}

func (g *graph) macPort(id string) (sdn.MACPort, bool) {
	return object[sdn.MACPort](g, sdn.KindMACPort, id)
}

func (g *graph) ip4MAC(id string) (sdn.IP4MAC, bool) {
	return object[sdn.IP4MAC](g, sdn.KindIP4MAC, id)
}
