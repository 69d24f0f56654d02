package conformance

import (
	"net/netip"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/wire"
)

// The objects that cases stand on. All belong to the case's tenant and end
// with it.

func (w *Wire) named() dto { return dto{"name": "conformance", "tenantId": w.tenant} }

func (w *Wire) router() dto {
	w.t.Helper()
	return w.create("/routers", "Router-v3", w.named())
}

func (w *Wire) bridge() dto {
	w.t.Helper()
	return w.create("/bridges", "Bridge-v4", w.named())
}

func (w *Wire) chain() dto {
	w.t.Helper()
	return w.create("/chains", "Chain-v1", w.named())
}

// The discriminators of ports in all releases but Port-v1.
const (
	routerKind = "Router"
	bridgeKind = "Bridge"
)

// routerPortBody is the body for a port with an address, which has no other
// form in 1.9.
func (w *Wire) routerPortBody(cidr string) dto {
	p := netip.MustParsePrefix(cidr)
	return dto{
		"type": routerKind, "networkAddress": p.Masked().Addr().String(), "networkLength": p.Bits(),
		"portAddress": p.Addr().String(),
	}
}

func (w *Wire) routerPort(router dto, cidr string) dto {
	w.t.Helper()
	return w.create(router.text("ports"), "Port-v3", w.routerPortBody(cidr))
}

func (w *Wire) bridgePort(bridge dto) dto {
	w.t.Helper()
	return w.create(bridge.text("ports"), "Port-v3", dto{"type": bridgeKind})
}

func (w *Wire) link(port, peer dto) {
	w.t.Helper()
	a := w.typed("POST", port.text("link"), "PortLink-v1", w.json(dto{"peerId": peer["id"]}))
	require.Equal(w.t, 201, a.status, a.body)
}

// port reads a port again.
func (w *Wire) port(p dto) dto {
	w.t.Helper()
	return w.get(p.text("uri"), "Port-v3")
}

func (w *Wire) rule(chain dto, body dto) dto {
	w.t.Helper()
	return w.create(chain.text("rules"), "Rule-v2", body)
}

// host makes a host that is in no tunnel zone.
func (w *Wire) host() dto {
	w.t.Helper()
	return w.create("/hosts", "Host-v3", dto{"id": uuid.NewString(), "name": "host"})
}

func (w *Wire) zone() dto {
	w.t.Helper()
	return w.create("/tunnel_zones", "TunnelZone-v1", dto{"name": uuid.NewString(), "type": "vxlan"})
}

func (w *Wire) member(zone, host dto) dto {
	w.t.Helper()
	return w.create(zone.text("hosts"), "TunnelZoneHost-v1", dto{"hostId": host["id"], "ipAddress": "192.0.2.1"})
}

// bindable makes a host that is in a tunnel zone.
func (w *Wire) bindable() dto {
	w.t.Helper()
	h := w.host()
	w.member(w.zone(), h)
	return h
}

func (w *Wire) bind(host, port dto, name string) dto {
	w.t.Helper()
	return w.create(host.text("ports"), "HostInterfacePort-v1", dto{"portId": port["id"], "interfaceName": name})
}

// isV1 is set in the 1.9 dialect.
func (w *Wire) isV1() bool { return w.Release == wire.V1 }
