package dataplane

import (
	"context"
	"fmt"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

func bridgeFact(name string) string { return "bridge " + name }

func portFact(id sdn.PortID) string { return "port " + string(id) }

// confirm reports which bound ports the kernel now has as they are wanted. With
// an error none is confirmed anew.
func (j *job) confirm(err error) {
	if err != nil {
		return
	}
	up := make(map[sdn.PortID]bool)
	for _, l := range j.want.Links {
		cur, ok := j.space.seen.links[l.Name]
		if l.Kind == plan.BridgeLink {
			j.facts.set(bridgeFact(l.Name), ok)
		}
		if l.Port == "" {
			continue
		}
		if ok && l.Kind == plan.BoundLink {
			j.found(l.Name)
		}
		up[l.Port] = ok && l.Up && cur.Up && (l.Kind != plan.VethLink || j.facts.holds(uplinkFact))
	}
	j.confirmOnly(up)
	if j.space.name == "" {
		j.confirmUplink()
	}
}

// found ends the wait for a bound interface.
func (j *job) found(name string) {
	j.timers.drop(alarm{j.space.name, name})
	j.mu.Lock()
	delete(j.waiting, name)
	j.mu.Unlock()
}

// uplinkFact holds while the host's side of the uplink is in place.
const uplinkFact = "uplink"

// confirmUplink lets the router's side know that the host's is ready.
func (j *job) confirmUplink() {
	l, ok := j.want.Link(sdn.InterfaceName(j.cfg.Plan.Uplink.Port))
	if ok {
		_, ok = j.space.seen.links[l.Name]
	}
	if j.facts.set(uplinkFact, ok) && l.PeerNamespace != "" {
		j.again = append(j.again, l.PeerNamespace)
	}
}

// confirmOnly makes exactly those ports of this namespace active that up says.
// A look at the kernel says so again, for those who may have forgotten.
func (j *job) confirmOnly(up map[sdn.PortID]bool) {
	s := j.space
	s.mu.Lock()
	was := s.active
	s.active = make(map[sdn.PortID]bool, len(up))
	for p, yes := range up {
		if yes {
			s.active[p] = true
		}
	}
	s.mu.Unlock()
	for p := range was {
		if !up[p] {
			j.facts.set(portFact(p), false)
			j.cfg.Reports.SetActive(p, false)
		}
	}
	for p, yes := range up {
		if yes && (!was[p] || j.observed) {
			j.cfg.Reports.SetActive(p, true)
			j.facts.set(portFact(p), true)
		}
	}
}

// rebound says whether a change ends the binding of a port to this host.
func (e *Engine) rebound(c sdn.Change) bool {
	before, was := c.Before.(sdn.Port)
	after, _ := c.After.(sdn.Port)
	return was && before.Host == e.cfg.Plan.Host && before.Interface != "" &&
		(before.Host != after.Host || before.Interface != after.Interface)
}

// doubt forgets that a port of a namespace is active: it is to be confirmed
// again, even if it is bound again before anyone looks.
func (e *Engine) doubt(name string, p sdn.PortID) {
	e.mu.Lock()
	s, known := e.spaces[name]
	e.mu.Unlock()
	if known {
		s.mu.Lock()
		delete(s.active, p)
		s.mu.Unlock()
	}
	e.facts.set(portFact(p), false)
}

// WaitActive returns when the port is in the kernel as it is wanted: its
// interface is there and up, in its bridge, and filtered. It wraps the
// context's error when that does not happen in time.
func (e *Engine) WaitActive(ctx context.Context, id sdn.PortID) error {
	if err := e.facts.until(ctx, portFact(id)); err != nil {
		return fmt.Errorf("wait until port %s is active: %w", id, err)
	}
	return nil
}

// Wiring waits until the bridge is in the kernel and says how the interface of
// its port is to be made.
func (e *Engine) Wiring(ctx context.Context, bridge sdn.BridgeID, port sdn.PortID) (sdn.Wiring, error) {
	if err := e.facts.until(ctx, bridgeFact(sdn.InterfaceName(bridge))); err != nil {
		return sdn.Wiring{}, fmt.Errorf("wait for bridge %s in the kernel: %w", bridge, err)
	}
	var home sdn.DeviceID
	e.cfg.Source.View(func(v sdn.View) { home, _ = plan.HomeOf(v, sdn.DeviceID(bridge)) })
	if home == "" {
		return sdn.Wiring{}, fmt.Errorf("wiring of port %s: bridge %s: %w", port, bridge, sdn.ErrNotFound)
	}
	return sdn.Wiring{
		Namespace: e.kernel.Path(sdn.NamespaceName(home)),
		Master:    sdn.InterfaceName(bridge),
		Interface: sdn.InterfaceName(port),
		Alias:     e.cfg.Plan.PortStamp(port),
		MTU:       e.cfg.Plan.MTU,
	}, nil
}

// portName says whether a bound interface has the name that Moat itself gives.
func (j *job) portName(l plan.Link) bool { return l.Name == sdn.InterfaceName(l.Port) }
