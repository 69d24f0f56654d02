package dataplane

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
		e.queue.add(s.name, true)
	}
	if waits != nil && (s == waits || ev.Space == hostSpace) {
		e.queue.add(waits.name, false)
	}
	if s == nil {
		return
	}
	switch ev.Kind {
	case LinkSeen, LinkGone:
		if s.heard(ev) {
			e.queue.add(s.name, false)
		}
	case ChainSeen:
		if ev.Space == hostSpace { // it may be one that drops what it does not know
			e.settleSoon(s)
		}
	case StateGone:
		e.settleSoon(s)
	}
}
