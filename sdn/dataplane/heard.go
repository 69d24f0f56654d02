package dataplane

import "time"

// heard takes an event of the kernel: it queues the namespace when something
// that belongs there went away, or something that it waits for arrived.
func (e *Engine) heard(ev Event) {
	e.mu.Lock()
	s := e.byID[ev.Space]
	var waits *space
	if ev.Kind == LinkSeen {
		waits = e.waiting[ev.Link.Name]
	}
	all := make([]*space, 0)
	if ev.Kind == EventsLost {
		for _, s := range e.spaces {
			all = append(all, s)
		}
	}
	e.mu.Unlock()
	for _, s := range all {
		s.mu.Lock()
		s.commits = 0
		s.mu.Unlock()
		e.queue.add(s.name, true)
	}
	if waits != nil && (s == waits || ev.Space == hostSpace) {
		waits.arrived(ev.Link.Name)
		e.queue.add(waits.name, false)
	}
	if s == nil {
		return
	}
	switch ev.Kind {
	case LinkSeen, LinkGone:
		look, later := s.heard(ev)
		if look {
			e.queue.add(s.name, false)
		}
		if later {
			time.AfterFunc(suspectDelay, func() { e.queue.add(s.name, false) })
		}
	case Committed:
		if !s.ownCommit() {
			e.settleSoon(s)
		}
	case StateGone:
		e.settleSoon(s)
	}
}

// committing runs a transaction of nftables and returns how many messages that
// took; none means that there was no transaction. The kernel announces each
// one, and those of the engine itself are no news.
func (e *Engine) committing(s *space, f func() (int, error)) (int, error) {
	s.mu.Lock()
	s.commits++
	s.mu.Unlock()
	n, err := f()
	if n > 0 && err == nil {
		return n, nil
	}
	if !s.ownCommit() { // someone else's announcement was taken for this one
		e.settleSoon(s)
	}
	return n, err
}

// ownCommit says whether an announcement of a commit is one of the engine's.
func (s *space) ownCommit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.commits == 0 {
		return false
	}
	s.commits--
	return true
}

// suspectDelay is how long an interface may look other than it was left: an
// interface is made in several steps, and the events of each come late.
const suspectDelay = 20 * time.Millisecond

// settleDelay is how long a namespace may settle before it is observed: what is
// deleted is often deleted in many pieces. Much of what happens on the host is
// no concern of Moat's.
const (
	settleDelay     = 100 * time.Millisecond
	settleDelayHost = 500 * time.Millisecond
)

// settleSoon observes a namespace shortly.
func (e *Engine) settleSoon(s *space) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due {
		return
	}
	s.due = true
	delay := settleDelay
	if s.name == "" {
		delay = settleDelayHost
	}
	time.AfterFunc(delay, func() {
		s.mu.Lock()
		s.due = false
		s.mu.Unlock()
		e.queue.add(s.name, true)
	})
}
