package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// Ports implements sdn.API.
func (c *Client) Ports(ctx context.Context, device sdn.DeviceID) ([]sdn.Port, error) {
	if device == "" {
		return list[sdn.Port, wire.Port](ctx, c, c.paths.At(wire.Ports), wire.PortV3)
	}
	return c.portsOf(ctx, device, wire.Ports)
}

// PeerPorts implements sdn.API.
func (c *Client) PeerPorts(ctx context.Context, device sdn.DeviceID) ([]sdn.Port, error) {
	return c.portsOf(ctx, device, wire.PeerPorts)
}

// portsOf asks for a device's ports. The URI differs for bridges and routers
// and the ID does not tell, so what is no bridge is asked for as a router.
func (c *Client) portsOf(ctx context.Context, device sdn.DeviceID, below string) ([]sdn.Port, error) {
	ps, err := list[sdn.Port, wire.Port](ctx, c, c.paths.At(wire.Bridges, string(device), below), wire.PortV3)
	if errors.Is(err, sdn.ErrNotFound) {
		return list[sdn.Port, wire.Port](ctx, c, c.paths.At(wire.Routers, string(device), below), wire.PortV3)
	}
	return ps, err
}

// Port implements sdn.API.
func (c *Client) Port(ctx context.Context, id sdn.PortID) (sdn.Port, error) {
	return get[sdn.Port, wire.Port](ctx, c, c.paths.At(wire.Ports, string(id)), wire.PortV3)
}

// CreatePort implements sdn.API.
func (c *Client) CreatePort(ctx context.Context, p sdn.Port) (sdn.Port, error) {
	ours := own(&p.ID)
	devices := wire.Bridges
	switch p.Kind {
	case sdn.BridgePort:
	case sdn.RouterPort:
		devices = wire.Routers
	default:
		return sdn.Port{}, fmt.Errorf("create port %s: %q is no kind of port: %w", p.ID, p.Kind, sdn.ErrInvalid)
	}
	return create[sdn.Port, wire.Port](ctx, c, creation{
		path: c.paths.At(devices, string(p.Device), wire.Ports), at: c.paths.At(wire.Ports, string(p.ID)),
		media: wire.PortV3, body: wire.NewPort(p), ours: ours,
	})
}

// UpdatePort implements sdn.API. The dialect needs the kind of the port, which
// is read first when p has none.
func (c *Client) UpdatePort(ctx context.Context, p sdn.Port) error {
	if p.Kind == "" {
		stored, err := c.Port(ctx, p.ID)
		if err != nil {
			return err
		}
		p.Kind = stored.Kind
	}
	return put(ctx, c, c.paths.At(wire.Ports, string(p.ID)), wire.PortV3, wire.NewPort(p))
}

// DeletePort implements sdn.API.
func (c *Client) DeletePort(ctx context.Context, id sdn.PortID) error {
	return remove(ctx, c, c.paths.At(wire.Ports, string(id)))
}

// Link implements sdn.API. A conflict with what an own attempt did, whose
// answer was lost, is a success.
func (c *Client) Link(ctx context.Context, a, b sdn.PortID) error {
	q := request{method: http.MethodPost, path: c.paths.At(wire.Ports, string(a), wire.Link),
		media: wire.PortLinkV1, body: wire.PortLink{PeerID: wire.Text(b)}}
	r, err := c.do(ctx, q)
	if err != nil {
		return err
	}
	if r.status == http.StatusConflict && r.repeated {
		if p, err := c.Port(ctx, a); err == nil && p.Peer == b {
			return nil
		}
	}
	if r.status >= http.StatusMultipleChoices {
		return q.refused(r)
	}
	return nil
}

// Unlink implements sdn.API.
func (c *Client) Unlink(ctx context.Context, a sdn.PortID) error {
	return c.expect(ctx, request{method: http.MethodDelete, path: c.paths.At(wire.Ports, string(a), wire.Link)})
}

// Bindings implements sdn.API.
func (c *Client) Bindings(ctx context.Context, host sdn.HostID) ([]sdn.Binding, error) {
	return list[sdn.Binding, wire.Binding](ctx, c, c.paths.At(wire.Hosts, string(host), wire.Ports), wire.HostInterfacePortV1)
}

// Bind implements sdn.API. A conflict with what an own attempt did, whose
// answer was lost, is a success.
func (c *Client) Bind(ctx context.Context, b sdn.Binding) error {
	q := request{method: http.MethodPost, path: c.paths.At(wire.Hosts, string(b.Host), wire.Ports),
		media: wire.HostInterfacePortV1, body: wire.NewBinding(b)}
	r, err := c.do(ctx, q)
	if err != nil {
		return err
	}
	if r.status == http.StatusConflict && r.repeated {
		if p, err := c.Port(ctx, b.Port); err == nil && p.Host == b.Host && p.Interface == b.Interface {
			return nil
		}
	}
	if r.status >= http.StatusMultipleChoices {
		return q.refused(r)
	}
	return nil
}

// Unbind implements sdn.API. The URI needs the host, which the port names.
func (c *Client) Unbind(ctx context.Context, port sdn.PortID) error {
	p, err := c.Port(ctx, port)
	if err != nil || p.Host == "" {
		return err
	}
	return c.expect(ctx, request{method: http.MethodDelete,
		path: c.paths.At(wire.Hosts, string(p.Host), wire.Ports, string(port))})
}
