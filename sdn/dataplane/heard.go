package dataplane

import (
	"time"

	"github.com/moatnet/moat/sdn"
)

// awaited is who waits for a bound interface.
type awaited struct {
	space *space
	port  sdn.PortID
	since time.Time
}

// heard takes an event of the kernel: it queues the namespace when something
// that belongs there went away, or something that it waits for arrived.
func (e *Engine) heard(ev Event) {
	switch ev.Kind {
	case Listening:
		for _, s := range e.all() {
			s.expectNothing()
		}
		e.listen.Do(func() { close(e.hearing) })
		return
	case EventsLost:
		for _, s := range e.all() {
			s.lostTrack()
			e.queue.add(s.name, true)
		}
		return
	}
	e.mu.Lock()
	s := e.byID[ev.Space]
	e.mu.Unlock()
	if s == nil {
		return
	}
	switch ev.Kind {
	case LinkGone:
		if port, ours := s.gone(ev.Link); port != "" {
			e.queue.put(s.name, fewOf(port))
		} else if ours {
			e.queue.add(s.name, false)
		}
	case LinkSeen:
		if s.heard(ev.Link) {
			e.timers.within(alarm{s.name, suspectAlarm}, suspectDelay, func() { e.verify(s) })
		}
		e.arrived(s, ev.Link.Name, complete(ev.Link))
	case Committed:
		if !s.ownCommit() {
			e.settleSoon(s)
		}
	case StateGone:
		e.settleSoon(s)
	}
}

// arrived looks after a bound interface that was awaited and is seen now: at
// once when it is complete, or on the host, from where it is moved; otherwise
// after the time that whoever makes it may take.
func (e *Engine) arrived(at *space, name string, done bool) {
	e.mu.Lock()
	w, ok := e.waiting[name]
	e.mu.Unlock()
	if !ok || w.space != at && at.name != "" {
		return
	}
	look := func() { e.queue.put(w.space.name, fewOf(w.port)) }
	if done || w.space != at {
		look()
		return
	}
	e.timers.within(alarm{w.space.name, name}, makeDelay, look)
}

// verify looks at what is still not as it was left.
func (e *Engine) verify(s *space) {
	ports, all := s.doubts()
	switch {
	case all:
		e.queue.add(s.name, false)
	case len(ports) > 0:
		e.queue.put(s.name, work{few: ports})
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

// expectNothing forgets the transactions that have not been announced: those
// before anyone listened never will be, and someone else's would be taken for
// theirs.
func (s *space) expectNothing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits = 0
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

// makeDelay is how long an awaited interface may look unfinished before the
// engine does the rest: an agent is about to, and both would be waste.
const makeDelay = 100 * time.Millisecond

// settleDelay is how long a namespace may settle before it is observed: what is
// deleted is often deleted in many pieces. Much of what happens on the host is
// no concern of Moat's.
const (
	settleDelay     = 100 * time.Millisecond
	settleDelayHost = 500 * time.Millisecond
)

// settleSoon observes a namespace shortly.
func (e *Engine) settleSoon(s *space) {
	delay := settleDelay
	if s.name == "" {
		delay = settleDelayHost
	}
	e.timers.within(alarm{s.name, settleAlarm}, delay, func() { e.queue.add(s.name, true) })
}
