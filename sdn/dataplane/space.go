package dataplane

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/plan"
)

// space is one network namespace: what was last seen in it, and what is wrong.
type space struct {
	name string

	apply   sync.Mutex            // held while the namespace is looked at or written
	open    Space                 // nil: not opened
	id      int                   // in events
	seen    *picture              // nil: unknown
	wanted  map[string]sdn.PortID // interfaces of the last plan, with the ports bound to them
	leaving map[string]time.Time  // interfaces of ports that were deleted, since when
	orphans map[string]time.Time  // stamped interfaces that no plan wanted, since when

	responders map[string]*responder // by the interface of their bridge

	mu       sync.Mutex
	commits  int                   // transactions of nftables that the kernel has yet to announce
	active   map[sdn.PortID]bool   // bound ports that are reported active
	suspects map[string]bool       // interfaces of which an event spoke
	watched  map[string]rtnl.Link  // what events are compared with
	met      map[string]sighting   // what events told of interfaces that are in no picture
	ended    map[string]int        // indexes of watched interfaces that events said are gone
	bound    map[string]sdn.PortID // ports of watched bound interfaces
	known    bool                  // an observation and the events since say which interfaces there are

	members map[string]plan.Link // of bridges, as the table of senders was last written for them; guarded by apply
	moved   bool                 // they were written since the tables were last seen or written as a whole; guarded by apply

	unrealised string // what was last said of the plan; guarded by apply
	plain      bool   // no bridge here has filters or fixed neighbours; guarded by apply
	fixed      bool   // neighbours of Moat's may be there; guarded by apply
	failures   int    // of the last attempts in a row; guarded by apply
}

func newSpace(name string) *space {
	return &space{
		name: name, fixed: name != "", suspects: make(map[string]bool), leaving: make(map[string]time.Time), orphans: make(map[string]time.Time),
		responders: make(map[string]*responder),
		watched:    make(map[string]rtnl.Link), met: make(map[string]sighting), ended: make(map[string]int), bound: make(map[string]sdn.PortID),
	}
}

// enter opens the namespace anew; one that is pinned by no file is made first,
// where make is set. It says whether it was made.
func (s *space) enter(k Kernel, alias string, create bool) (made bool, err error) {
	s.leave()
	s.open, err = k.Open(s.name)
	if errors.Is(err, fs.ErrNotExist) && create {
		if err = k.CreateNamespace(s.name, alias); err != nil {
			return false, err
		}
		made = true
		s.open, err = k.Open(s.name)
	}
	if err != nil {
		s.open = nil
		return made, err
	}
	s.id, err = s.open.ID()
	return made, err
}

func (s *space) leave() {
	if s.open != nil {
		s.open.Close() // nothing can be lost: every write was acknowledged
	}
	s.open, s.seen = nil, nil
}

// observe reads all of the namespace that the plan could be about.
func (s *space) observe(ctx context.Context, keys []string, stamped func(string) bool) error {
	s.mu.Lock()
	clear(s.met)
	clear(s.ended)
	s.mu.Unlock()
	links, err := s.open.Links()
	if err != nil {
		return err
	}
	p := &picture{links: make(map[string]rtnl.Link, len(links)), addresses: make(map[plan.Address]bool), fixed: newFixed()}
	names := make(map[int]string, len(links))
	for _, l := range links {
		p.links[l.Name] = l
		names[l.Index] = l.Name
	}
	addresses, err := s.open.Addresses()
	if err != nil {
		return err
	}
	for _, a := range addresses {
		p.addresses[plan.Address{Dev: names[a.Index], Prefix: a.Prefix}] = true
	}
	routes, err := s.open.Routes()
	if err != nil {
		return err
	}
	p.routes = ownRoutes(routes, names, func(dev string) bool { return s.name != "" || stamped(p.links[dev].Alias) })
	rules, err := s.open.Rules()
	if err != nil {
		return err
	}
	p.rules = ownRules(rules)
	if s.fixed {
		if err := s.observeFixed(p, names); err != nil {
			return err
		}
	}
	if p.sysctls, err = s.open.Sysctls(keys); err != nil {
		return err
	}
	if p.tables, err = s.open.Tables(ctx); err != nil {
		return err
	}
	s.moved = false
	s.seen = p
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = true
	if s.name == "" { // from where interfaces are fetched
		for _, l := range links {
			s.met[l.Name] = sighting{link: l}
		}
	}
	return nil
}

// recheck looks up the interfaces of which events spoke.
func (s *space) recheck() error {
	s.mu.Lock()
	names := s.suspects
	s.suspects = make(map[string]bool)
	s.mu.Unlock()
	for name := range names {
		if err := s.look(name); err != nil {
			return err
		}
	}
	return nil
}

// look reads one interface.
func (s *space) look(name string) error {
	l, ok, err := s.open.Link(name)
	if err != nil {
		return err
	}
	was, known := s.seen.links[name]
	switch {
	case !ok:
		s.seen.forget(name)
	case known && was.Index == l.Index:
		s.seen.renew(was, l)
	default:
		s.seen.forget(name)
		s.seen.links[name] = l
	}
	return nil
}
