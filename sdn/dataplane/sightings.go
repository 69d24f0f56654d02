package dataplane

import (
	"maps"
	"time"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/plan"
)

// meet takes what an event told of an interface that no picture shows: it is in
// the picture from now on, and events are compared with it.
//
// Whoever makes it may not be done yet, shortly after the event or after since,
// when it was first wanted: then it is not taken, and soon is true.
func (s *space) meet(name string, since time.Time) (there, soon bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.met[name]
	if !ok {
		return false, false
	}
	if !complete(m.link) && min(time.Since(m.at), time.Since(since)) < makeDelay {
		return false, true
	}
	delete(s.met, name)
	s.watched[name] = m.link
	s.seen.links[name] = m.link
	return true, false
}

// complete says whether an interface is as an agent leaves it.
func complete(l rtnl.Link) bool { return l.Up && l.Master != 0 && l.Alias != "" }

// sighting is what an event told of an interface, and when.
type sighting struct {
	link rtnl.Link
	at   time.Time
}

// mayHold says whether an interface may be there, as far as events and the
// last observation told.
func (s *space) mayHold(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.met[name]
	return ok || !s.known
}

// quiet says whether single ports may be looked at alone: all else is as it was
// planned, as far as anyone knows, and no bridge has filters that name ports.
func (s *space) quiet() bool {
	_, all := s.doubts()
	return s.seen != nil && s.plain && !all
}

// doubts lists the ports whose interfaces are not as they were left; all says
// that others are not either.
func (s *space) doubts() (ports map[sdn.PortID]bool, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ports = make(map[sdn.PortID]bool)
	for name := range s.suspects {
		if p := s.bound[name]; p != "" {
			ports[p] = true
		} else {
			all = true
		}
	}
	return ports, all
}

// suspect says, once, whether an interface is not as it was left.
func (s *space) suspect(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.suspects[name]
	delete(s.suspects, name)
	return was
}

// settle remembers what events are to be compared with, and which interfaces
// are bound to ports.
func (s *space) settle(want []plan.Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = maps.Clone(s.seen.links)
	s.bound = make(map[string]sdn.PortID, len(want))
	for _, l := range want {
		if l.Kind == plan.BoundLink {
			s.bound[l.Name] = l.Port
		}
	}
}

// gone takes note that an interface is there no more. It says whether that was
// one of the picture's, and to which port it was bound.
func (s *space) gone(l rtnl.Link) (port sdn.PortID, ours bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.met[l.Name].link.Index == l.Index {
		delete(s.met, l.Name)
	}
	if was, known := s.watched[l.Name]; !known || was.Index != l.Index {
		return "", false
	}
	delete(s.watched, l.Name)
	delete(s.suspects, l.Name)
	s.ended[l.Name] = l.Index
	return s.bound[l.Name], true
}

// heard takes note of an event about an interface and says whether the
// namespace must be looked at when no later event shows the interface as it was
// left.
func (s *space) heard(l rtnl.Link) (later bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, known := s.watched[l.Name]
	if !known {
		s.met[l.Name] = sighting{l, time.Now()}
		return false
	}
	if was.Index == l.Index && was.Up == l.Up && was.Master == l.Master && was.MTU == l.MTU {
		delete(s.suspects, l.Name)
		return false
	}
	s.suspects[l.Name] = true
	return true
}

// lostTrack forgets what events told: some were lost.
func (s *space) lostTrack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits, s.known = 0, false
	clear(s.met)
}

// bury takes the interfaces out of the picture that events said are gone.
func (s *space) bury() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, index := range s.ended {
		if s.seen.links[name].Index == index {
			s.seen.forget(name)
		}
	}
	clear(s.ended)
}
