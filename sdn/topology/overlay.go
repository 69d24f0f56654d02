package topology

import (
	"net/netip"
	"slices"

	"github.com/moatnet/moat/sdn"
)

// overlay is what engines say of ports and hosts. It is never stored: after a
// start nothing is active or alive until an engine says so again.
type overlay struct {
	active     map[sdn.PortID]struct{}
	alive      map[sdn.HostID]struct{}
	interfaces map[sdn.HostID]presence
}

type presence struct {
	addresses  []netip.Addr
	interfaces []sdn.HostInterface
}

func newOverlay() overlay {
	return overlay{
		active:     map[sdn.PortID]struct{}{},
		alive:      map[sdn.HostID]struct{}{},
		interfaces: map[sdn.HostID]presence{},
	}
}

func (o *overlay) port(p sdn.Port) sdn.Port {
	_, p.Active = o.active[p.ID]
	return p
}

func (o *overlay) host(h sdn.Host) sdn.Host {
	_, h.Alive = o.alive[h.ID]
	seen := o.interfaces[h.ID]
	h.Addresses, h.Interfaces = seen.addresses, seen.interfaces
	return h
}

// forget drops what was said of a port's binding or of a host when it is gone.
func (o *overlay) forget(changes []sdn.Change) {
	for _, c := range changes {
		switch before := c.Before.(type) {
		case sdn.Port:
			after, _ := c.After.(sdn.Port)
			if before.Host != after.Host || before.Interface != after.Interface {
				delete(o.active, before.ID)
			}
		case sdn.Host:
			if c.After == nil {
				delete(o.interfaces, before.ID)
			}
		}
	}
}

// SetActive says whether the interface of a bound port is in place and
// filtered. It lasts until the port is unbound; of a port that is not bound it
// says nothing.
func (t *Topology) SetActive(p sdn.PortID, active bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.graph.overlay.active, p)
	if port, ok := t.graph.Port(p); ok && active && port.Interface != "" {
		t.graph.overlay.active[p] = struct{}{}
	}
}

// SetAlive says whether an engine for the host is running. The host need not
// exist yet.
func (t *Topology) SetAlive(h sdn.HostID, alive bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.graph.overlay.alive, h)
	if alive {
		t.graph.overlay.alive[h] = struct{}{}
	}
}

// SetInterfaces says which addresses and interfaces a host has.
func (t *Topology) SetInterfaces(h sdn.HostID, addrs []netip.Addr, ifs []sdn.HostInterface) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.graph.overlay.interfaces[h] = presence{slices.Clone(addrs), slices.Clone(ifs)}
}
