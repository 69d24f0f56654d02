package client

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// held tells whether what is under a key is what was to be put there: for what
// is all key, that is so when it is there.
func held[N any, D representation[N]](ctx context.Context, c *Client, at, media string) func() (bool, error) {
	return func() (bool, error) {
		_, err := get[N, D](ctx, c, at, media)
		return err == nil, err
	}
}

// noKey is the error for a key with a part that is not there.
func noKey(part string) error { return fmt.Errorf("the %s is empty: %w", part, sdn.ErrNotFound) }

// MACPorts implements sdn.NeighbourAPI.
func (c *Client) MACPorts(ctx context.Context, bridge sdn.BridgeID, vlan *uint16) ([]sdn.MACPort, error) {
	path := c.paths.MACTableOf(bridge, 0)
	if vlan != nil {
		path = c.paths.At(wire.Bridges, string(bridge), wire.VLANs, strconv.Itoa(int(*vlan)), wire.MACTable)
	}
	ms, err := list[sdn.MACPort, wire.MACPort](ctx, c, path, wire.MACPortV2)
	for i := range ms {
		ms[i].Bridge = bridge
	}
	return ms, err
}

// AddMACPort implements sdn.NeighbourAPI.
func (c *Client) AddMACPort(ctx context.Context, m sdn.MACPort) error {
	q := request{path: c.paths.MACTableOf(m.Bridge, m.VLAN), media: wire.MACPortV2, body: wire.NewMACPort(m)}
	at := string(c.paths.MACPort(m).URI)
	return c.add(ctx, q, held[sdn.MACPort, wire.MACPort](ctx, c, at, wire.MACPortV2))
}

// RemoveMACPort implements sdn.NeighbourAPI.
func (c *Client) RemoveMACPort(ctx context.Context, m sdn.MACPort) error {
	return remove(ctx, c, string(c.paths.MACPort(m).URI))
}

// IP4MACs implements sdn.NeighbourAPI.
func (c *Client) IP4MACs(ctx context.Context, bridge sdn.BridgeID) ([]sdn.IP4MAC, error) {
	ms, err := list[sdn.IP4MAC, wire.IP4MAC](ctx, c, c.paths.At(wire.Bridges, string(bridge), wire.ARPTable), wire.IP4MACV1)
	for i := range ms {
		ms[i].Bridge = bridge
	}
	return ms, err
}

// AddIP4MAC implements sdn.NeighbourAPI.
func (c *Client) AddIP4MAC(ctx context.Context, m sdn.IP4MAC) error {
	q := request{path: c.paths.At(wire.Bridges, string(m.Bridge), wire.ARPTable), media: wire.IP4MACV1, body: wire.NewIP4MAC(m)}
	at := string(c.paths.IP4MAC(m).URI)
	return c.add(ctx, q, held[sdn.IP4MAC, wire.IP4MAC](ctx, c, at, wire.IP4MACV1))
}

// RemoveIP4MAC implements sdn.NeighbourAPI.
func (c *Client) RemoveIP4MAC(ctx context.Context, m sdn.IP4MAC) error {
	if !m.Addr.IsValid() {
		return request{method: http.MethodDelete, path: c.paths.At(wire.Bridges, string(m.Bridge), wire.ARPTable)}.failed(noKey("address"))
	}
	return remove(ctx, c, string(c.paths.IP4MAC(m).URI))
}
