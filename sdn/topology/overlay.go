package topology

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/moatnet/moat/sdn"
)

// overlay is what engines say of ports and hosts. It is never stored: after a
// start nothing is active or alive until an engine says so again. It has a lock
// of its own, because several graphs show it.
type overlay struct {
	mu         sync.RWMutex
	active     map[sdn.PortID]struct{}
	alive      map[sdn.HostID]struct{}
	interfaces map[sdn.HostID]presence
}

type presence struct {
	addresses  []netip.Addr
	interfaces []sdn.HostInterface
}

func newOverlay() *overlay {
	return &overlay{
		active:     map[sdn.PortID]struct{}{},
		alive:      map[sdn.HostID]struct{}{},
		interfaces: map[sdn.HostID]presence{},
	}
}

func (o *overlay) port(p sdn.Port) sdn.Port {
	if p.Interface == "" {
		return p
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	_, p.Active = o.active[p.ID]
	return p
}

func (o *overlay) isAlive(id sdn.HostID) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	_, alive := o.alive[id]
	return alive
}

func (o *overlay) host(h sdn.Host) sdn.Host {
	o.mu.RLock()
	defer o.mu.RUnlock()
	_, h.Alive = o.alive[h.ID]
	seen := o.interfaces[h.ID]
	h.Addresses, h.Interfaces = seen.addresses, seen.interfaces
	return h
}

// forget drops what was said of a port's binding or of a host when it is gone.
func (o *overlay) forget(changes []sdn.Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
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
	t.mu.RLock() // no unbinding goes unseen in between
	defer t.mu.RUnlock()
	port, _ := t.graph.Port(p)
	o := t.graph.overlay
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.active, p)
	if active && port.Interface != "" {
		o.active[p] = struct{}{}
	}
}

// SetAlive says whether an engine for the host is running. The host need not
// exist yet.
func (t *Topology) SetAlive(h sdn.HostID, alive bool) {
	o := t.graph.overlay
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.alive, h)
	if alive {
		o.alive[h] = struct{}{}
	}
}

// SetInterfaces says which addresses and interfaces a host has.
func (t *Topology) SetInterfaces(h sdn.HostID, addrs []netip.Addr, ifs []sdn.HostInterface) {
	o := t.graph.overlay
	o.mu.Lock()
	defer o.mu.Unlock()
	o.interfaces[h] = presence{slices.Clone(addrs), slices.Clone(ifs)}
}
