package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// Ports implements sdn.API.
func (c *Client) Ports(ctx context.Context, device sdn.DeviceID) ([]sdn.Port, error) {
	if device == "" {
		return ports.of(ctx, c, "")
	}
	return c.portsOf(ctx, device, wire.Ports)
}

// PeerPorts implements sdn.API.
func (c *Client) PeerPorts(ctx context.Context, device sdn.DeviceID) ([]sdn.Port, error) {
	return c.portsOf(ctx, device, wire.PeerPorts)
}

// portsOf asks for a device's ports where the device is known or thought to be,
// then in the other collection.
func (c *Client) portsOf(ctx context.Context, device sdn.DeviceID, below string) (ps []sdn.Port, err error) {
	for _, collection := range c.devices.guesses(device) {
		ps, err = ports.below(ctx, c, collection, string(device), below)
		if err == nil {
			c.devices.learn(device, collection)
		}
		if !errors.Is(err, sdn.ErrNotFound) {
			return ps, err
		}
	}
	c.devices.forget(device)
	return ps, err
}

// Port implements sdn.API.
func (c *Client) Port(ctx context.Context, id sdn.PortID) (sdn.Port, error) {
	return ports.one(ctx, c, string(id))
}

// CreatePort implements sdn.API. Where a server does not bind a port that it
// makes, as those of 1.9 do not, a second call binds it; when that fails the
// port goes again.
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
	made, err := create[sdn.Port, wire.Port](ctx, c, creation{
		path: c.paths.At(devices, string(p.Device), wire.Ports), at: c.paths.At(wire.Ports, string(p.ID)),
		media: wire.PortV3, bodyIn: portBody(p), ours: ours,
	})
	if err != nil {
		return made, err
	}
	c.devices.learn(p.Device, devices)
	if p.Host == "" || made.Host != "" {
		return made, nil
	}
	if err := c.Bind(ctx, sdn.Binding{Host: p.Host, Port: made.ID, Interface: p.Interface}); err != nil {
		return sdn.Port{}, errors.Join(err, c.undo(ctx, func(ctx context.Context) error { return c.DeletePort(ctx, made.ID) }))
	}
	made.Host, made.Interface = p.Host, p.Interface
	return made, nil
}

// portBody is a new port without the binding where the server would store it
// and not bind.
func portBody(p sdn.Port) func(wire.Release) any {
	return func(r wire.Release) any {
		if r == wire.V1 {
			p.Host, p.Interface = "", ""
		}
		return wire.NewPort(p)
	}
}

// lastMoment is how long a call whose time is up may go on to take back what it did.
const lastMoment = 100 * time.Millisecond

// undo takes back what a call did of which the rest failed, also when the
// caller is gone; one whose time is up is kept for a moment alone. What is gone
// already is undone.
func (c *Client) undo(ctx context.Context, do func(context.Context) error) error {
	limit := c.timeout
	if end, has := ctx.Deadline(); has && !errors.Is(ctx.Err(), context.Canceled) {
		limit = min(max(time.Until(end), 0)+lastMoment, limit)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if err := do(ctx); !errors.Is(err, sdn.ErrNotFound) {
		return err
	}
	return nil
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
	return ports.update(ctx, c, string(p.ID), wire.ChangedPort(p))
}

// DeletePort implements sdn.API. Servers of 1.9 do not tell a port that was not
// there from one that was deleted: both are nil.
func (c *Client) DeletePort(ctx context.Context, id sdn.PortID) error {
	return ports.remove(ctx, c, string(id))
}

// Link implements sdn.API. A conflict with what an own attempt did, whose
// answer was lost, is a success.
func (c *Client) Link(ctx context.Context, a, b sdn.PortID) error {
	q := request{path: c.paths.At(wire.Ports, string(a), wire.Link), media: wire.PortLinkV1, body: wire.PortLink{PeerID: wire.Text(b)}}
	return c.tie(ctx, q, a, func(p sdn.Port) bool { return p.Peer == b })
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
	q := request{path: c.paths.At(wire.Hosts, string(b.Host), wire.Ports), media: wire.HostInterfacePortV1, body: wire.NewBinding(b)}
	return c.tie(ctx, q, b.Port, func(p sdn.Port) bool { return p.Host == b.Host && p.Interface == b.Interface })
}

// tie posts what changes a port, and takes a conflict for a success when an
// earlier attempt may have done it and the port shows that it did.
func (c *Client) tie(ctx context.Context, q request, port sdn.PortID, done func(sdn.Port) bool) error {
	q.method = http.MethodPost
	a, err := c.do(ctx, q)
	if err != nil || a.ok() {
		return err
	}
	if a.status == http.StatusConflict && a.repeated {
		if p, err := c.Port(ctx, port); err == nil && done(p) {
			return nil
		}
	}
	return q.refused(a)
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
