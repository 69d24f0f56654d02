package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// subnetAt is the path of a DHCP subnet. A prefix that is none has none.
func (c *Client) subnetAt(bridge sdn.BridgeID, p netip.Prefix) (string, error) {
	if !p.IsValid() {
		return "", request{method: http.MethodGet, path: c.paths.At(wire.Bridges, string(bridge), wire.DHCP)}.failed(noKey("subnet"))
	}
	return string(c.paths.DHCPSubnet(sdn.DHCPSubnet{Bridge: bridge, Prefix: p.Masked()}).URI), nil
}

// DHCPSubnets implements sdn.DHCPAPI.
func (c *Client) DHCPSubnets(ctx context.Context, bridge sdn.BridgeID) ([]sdn.DHCPSubnet, error) {
	ss, err := list[sdn.DHCPSubnet, wire.DHCPSubnet](ctx, c, c.paths.At(wire.Bridges, string(bridge), wire.DHCP), wire.DHCPSubnetV2)
	for i := range ss {
		ss[i].Bridge = bridge
	}
	return ss, err
}

// DHCPSubnet implements sdn.DHCPAPI.
func (c *Client) DHCPSubnet(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix) (sdn.DHCPSubnet, error) {
	at, err := c.subnetAt(bridge, p)
	if err != nil {
		return sdn.DHCPSubnet{}, err
	}
	s, err := get[sdn.DHCPSubnet, wire.DHCPSubnet](ctx, c, at, wire.DHCPSubnetV2)
	if err != nil {
		return sdn.DHCPSubnet{}, err
	}
	s.Bridge = bridge
	return s, nil
}

// CreateDHCPSubnet implements sdn.DHCPAPI.
func (c *Client) CreateDHCPSubnet(ctx context.Context, s sdn.DHCPSubnet) error {
	s.Prefix = s.Prefix.Masked()
	q := request{path: c.paths.At(wire.Bridges, string(s.Bridge), wire.DHCP), media: wire.DHCPSubnetV2, body: wire.NewDHCPSubnet(s)}
	return c.add(ctx, q, func() (bool, error) {
		stored, err := c.DHCPSubnet(ctx, s.Bridge, s.Prefix)
		return alike(wire.NewDHCPSubnet(stored), wire.NewDHCPSubnet(s)), err
	})
}

// alike compares representations by what is sent.
func alike(a, b any) bool {
	one, errOne := json.Marshal(a)
	two, errTwo := json.Marshal(b)
	return errOne == nil && errTwo == nil && bytes.Equal(one, two)
}

// UpdateDHCPSubnet implements sdn.DHCPAPI.
func (c *Client) UpdateDHCPSubnet(ctx context.Context, p netip.Prefix, s sdn.DHCPSubnet) error {
	at, err := c.subnetAt(s.Bridge, p)
	if err != nil {
		return err
	}
	s.Prefix = s.Prefix.Masked()
	return c.move(ctx, request{path: at, media: wire.DHCPSubnetV2, body: wire.NewDHCPSubnet(s)}, func() (bool, error) {
		stored, err := c.DHCPSubnet(ctx, s.Bridge, s.Prefix)
		return alike(wire.NewDHCPSubnet(stored), wire.NewDHCPSubnet(s)), err
	})
}

// move replaces an object by one whose key may be another. A 404 is a success
// when an earlier attempt may have moved it and it is there.
func (c *Client) move(ctx context.Context, q request, moved func() (bool, error)) error {
	q.method = http.MethodPut
	a, err := c.do(ctx, q)
	if err != nil || a.ok() {
		return err
	}
	if a.status == http.StatusNotFound && a.repeated {
		if there, err := moved(); err == nil && there {
			return nil
		} else if err != nil && !errors.Is(err, sdn.ErrNotFound) {
			return err
		}
	}
	return q.refused(a)
}

// DeleteDHCPSubnet implements sdn.DHCPAPI.
func (c *Client) DeleteDHCPSubnet(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix) error {
	at, err := c.subnetAt(bridge, p)
	if err != nil {
		return err
	}
	return remove(ctx, c, at)
}

// stationAt is the path of a host of a DHCP subnet.
func (c *Client) stationAt(bridge sdn.BridgeID, p netip.Prefix, mac string) (string, error) {
	if _, err := c.subnetAt(bridge, p); err != nil {
		return "", err
	}
	return string(c.paths.DHCPHost(sdn.DHCPHost{Bridge: bridge, Subnet: p.Masked(), MAC: mac}).URI), nil
}

// DHCPHosts implements sdn.DHCPAPI.
func (c *Client) DHCPHosts(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix) ([]sdn.DHCPHost, error) {
	at, err := c.subnetAt(bridge, p)
	if err != nil {
		return nil, err
	}
	hs, err := list[sdn.DHCPHost, wire.DHCPHost](ctx, c, at+"/"+wire.Hosts, wire.DHCPHostV2)
	for i := range hs {
		hs[i].Bridge, hs[i].Subnet = bridge, p.Masked()
	}
	return hs, err
}

// DHCPHost implements sdn.DHCPAPI.
func (c *Client) DHCPHost(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix, mac string) (sdn.DHCPHost, error) {
	at, err := c.stationAt(bridge, p, mac)
	if err != nil {
		return sdn.DHCPHost{}, err
	}
	h, err := get[sdn.DHCPHost, wire.DHCPHost](ctx, c, at, wire.DHCPHostV2)
	if err != nil {
		return sdn.DHCPHost{}, err
	}
	h.Bridge, h.Subnet = bridge, p.Masked()
	return h, nil
}

// CreateDHCPHost implements sdn.DHCPAPI.
func (c *Client) CreateDHCPHost(ctx context.Context, h sdn.DHCPHost) error {
	at, err := c.subnetAt(h.Bridge, h.Subnet)
	if err != nil {
		return err
	}
	h.Subnet = h.Subnet.Masked()
	q := request{path: at + "/" + wire.Hosts, media: wire.DHCPHostV2, body: wire.NewDHCPHost(h)}
	return c.add(ctx, q, func() (bool, error) {
		stored, err := c.DHCPHost(ctx, h.Bridge, h.Subnet, h.MAC)
		return alike(wire.NewDHCPHost(stored), wire.NewDHCPHost(h)), err
	})
}

// UpdateDHCPHost implements sdn.DHCPAPI.
func (c *Client) UpdateDHCPHost(ctx context.Context, mac string, h sdn.DHCPHost) error {
	at, err := c.stationAt(h.Bridge, h.Subnet, mac)
	if err != nil {
		return err
	}
	h.Subnet = h.Subnet.Masked()
	return c.move(ctx, request{path: at, media: wire.DHCPHostV2, body: wire.NewDHCPHost(h)}, func() (bool, error) {
		stored, err := c.DHCPHost(ctx, h.Bridge, h.Subnet, h.MAC)
		return alike(wire.NewDHCPHost(stored), wire.NewDHCPHost(h)), err
	})
}

// DeleteDHCPHost implements sdn.DHCPAPI.
func (c *Client) DeleteDHCPHost(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix, mac string) error {
	at, err := c.stationAt(bridge, p, mac)
	if err != nil {
		return err
	}
	return remove(ctx, c, at)
}
