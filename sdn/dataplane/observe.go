package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/plan"
)

// Observe reads what the kernel holds of this installation, in the form of
// plans: the host first, then its namespaces by name. A kernel that is as it is
// wanted prints as the plans do.
func (e *Engine) Observe(ctx context.Context) ([]plan.Namespace, error) {
	names, err := e.kernel.Namespaces()
	if err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	var spaces []*space
	defer func() {
		for _, s := range spaces {
			s.leave()
		}
	}()
	dev := sdn.InterfaceName(e.cfg.Plan.Uplink.Port)
	for _, name := range append([]string{""}, names...) {
		s := newSpace(name)
		if _, err := s.enter(e.kernel, "", false); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("observe namespace %q: %w", name, err)
		}
		spaces = append(spaces, s)
		keys := plan.StackKeys()
		if name == "" {
			keys = plan.HostKeys(dev)
		}
		if err := s.observe(ctx, keys, e.stamped); err != nil {
			return nil, fmt.Errorf("observe namespace %q: %w", name, err)
		}
	}
	var out []plan.Namespace
	for _, s := range spaces {
		if s.name != "" && !e.stamped(s.seen.links["lo"].Alias) {
			continue
		}
		n, err := e.describe(s, spaces)
		if err != nil {
			return nil, fmt.Errorf("observe namespace %q: %w", s.name, err)
		}
		out = append(out, n)
	}
	return out, nil
}

// describe puts one observed namespace in the form of a plan.
func (e *Engine) describe(s *space, all []*space) (plan.Namespace, error) {
	n := plan.Namespace{Name: s.name, Tables: s.seen.tables}
	for _, l := range s.seen.links {
		if !e.stamped(l.Alias) {
			continue
		}
		d, err := e.describeLink(s, l, all)
		if err != nil {
			return n, err
		}
		n.Links = append(n.Links, d)
		if d.Kind == plan.LoopbackLink {
			n.Device = sdn.DeviceID(stampedID(l.Alias))
		}
	}
	if len(n.Links) > 0 {
		keys := plan.StackKeys()
		if s.name == "" {
			keys = plan.HostKeys(sdn.InterfaceName(e.cfg.Plan.Uplink.Port))
		}
		for _, k := range keys {
			if v, ok := s.seen.sysctls[k]; ok {
				n.Sysctls = append(n.Sysctls, plan.Sysctl{Key: k, Value: v})
			}
		}
	}
	for a := range s.seen.addresses {
		if l := s.seen.links[a.Dev]; e.stamped(l.Alias) && a.Dev != "lo" && a.Prefix.Addr().Is4() {
			n.Addresses = append(n.Addresses, a)
		}
	}
	for _, r := range s.seen.routes {
		n.Routes = append(n.Routes, r)
	}
	for r := range s.seen.rules {
		n.Rules = append(n.Rules, r)
	}
	n.Neighbours = slices.Collect(maps.Keys(s.seen.fixed.neighbours))
	n.Stations = slices.Collect(maps.Keys(s.seen.fixed.stations))
	n.Sort()
	return n, nil
}

func (e *Engine) describeLink(s *space, l rtnl.Link, all []*space) (plan.Link, error) {
	d := plan.Link{Name: l.Name, Alias: l.Alias, MAC: l.MAC, MTU: l.MTU, Up: l.Up, NoARP: l.NoARP, AnswerARP: l.AnswerARP}
	for _, m := range s.seen.links {
		if l.Master != 0 && m.Index == l.Master {
			d.Master = m.Name
		}
	}
	switch {
	case l.Name == "lo":
		return plan.Link{Name: l.Name, Kind: plan.LoopbackLink, Alias: l.Alias}, nil
	case l.Kind == "bridge":
		d.Kind = plan.BridgeLink
		return d, nil
	}
	peer, other, err := e.otherEnd(s, l, all)
	if err != nil {
		return d, err
	}
	if peer == nil {
		d.Kind, d.MAC, d.Port = plan.BoundLink, "", sdn.PortID(stampedID(l.Alias))
		return d, nil
	}
	d.Kind, d.PeerNamespace, d.Peer = plan.VethLink, peer.name, other
	if peer.name == "" {
		d.Port = sdn.PortID(stampedID(l.Alias))
	}
	return d, nil
}

// otherEnd finds the namespace and the name of a veth's other end among those
// observed; nil when it is elsewhere, as a pod's is.
func (e *Engine) otherEnd(s *space, l rtnl.Link, all []*space) (*space, string, error) {
	if l.Kind != "veth" {
		return nil, "", nil
	}
	for _, o := range all {
		for _, end := range o.seen.links {
			if end.Kind != "veth" || end.Index != l.Peer || end.Peer != l.Index || !e.stamped(end.Alias) {
				continue
			}
			here := -1
			if o != s {
				id, err := s.open.KnownSpaceID(o.open.FD())
				if err != nil {
					return nil, "", err
				}
				here = id
				if id < 0 {
					continue
				}
			}
			if l.PeerSpace == here {
				return o, end.Name, nil
			}
		}
	}
	return nil, "", nil
}

// stampedID is the ID in a stamp.
func stampedID(alias string) string { return alias[strings.LastIndexByte(alias, ':')+1:] }
