package dataplane

import (
	"time"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

// few makes the interfaces of some bridge ports as they are wanted, and looks
// at nothing else, however many ports the bridge has.
func (j *job) few(ports map[sdn.PortID]bool) error {
	var gone []sdn.PortID
	j.cfg.Source.View(func(v sdn.View) {
		for id := range ports {
			p, ok := v.Port(id)
			l, planned := plan.Member(v, j.cfg.Plan, p)
			if !ok || !planned || l.Kind != plan.BoundLink {
				gone = append(gone, id)
				continue
			}
			j.want.Links = append(j.want.Links, l)
		}
	})
	j.space.bury()
	names := make(map[string]sdn.PortID, len(j.want.Links))
	for _, l := range j.want.Links {
		names[l.Name] = l.Port
	}
	var over []string // what played a port before, and does no more
	for name, id := range j.space.wanted {
		if _, still := names[name]; id != "" && ports[id] && !still && !j.leaving(name, id) {
			over = append(over, name)
		}
	}
	if err := j.moveMembers(over); err != nil {
		return err
	}
	for _, name := range over {
		if err := j.dismiss(name); err != nil {
			return err
		}
	}
	for name := range names {
		if j.space.suspect(name) {
			if err := j.space.look(name); err != nil {
				return err
			}
		}
	}
	if err := j.makeLinks(); err != nil {
		return err
	}
	if err := j.setLinks(); err != nil {
		return err
	}
	for _, l := range j.want.Links {
		j.space.wanted[l.Name] = l.Port
		delete(j.space.orphans, l.Name)
		delete(j.space.leaving, l.Name)
		j.space.settleOne(l)
		cur, ok := j.space.seen.links[l.Name]
		if ok {
			j.found(l.Name)
		}
		j.confirmPort(l.Port, ok && l.Up && cur.Up)
	}
	for _, id := range gone {
		j.confirmPort(id, false)
	}
	return nil
}

// leaveDelay is how long an interface whose port was deleted may stay: who
// deletes a pod's port is about to take its pair away, and a namespace in which
// one is being deleted serves no other port for some 20 ms.
const leaveDelay = 100 * time.Millisecond

// leaving says whether an interface that is wanted no more is still given time.
func (j *job) leaving(name string, id sdn.PortID) bool {
	l, there := j.space.seen.links[name]
	if !there || !j.stamped(l.Alias) || j.isGuest(l) {
		return false
	}
	since, known := j.space.leaving[name]
	if !known {
		since = time.Now()
		j.space.leaving[name] = since
	}
	left := leaveDelay - time.Since(since)
	if left > 0 {
		j.timers.within(alarm{j.space.name, name}, left, func() { j.queue.put(j.space.name, fewOf(id)) })
	}
	return left > 0
}

// dismiss takes away an interface that is wanted no more.
func (j *job) dismiss(name string) error {
	delete(j.space.wanted, name)
	j.unwait(name)
	j.space.mu.Lock()
	delete(j.space.bound, name)
	j.space.mu.Unlock()
	l, ok := j.space.seen.links[name]
	if !ok || !j.stamped(l.Alias) {
		return nil
	}
	return j.drop(l)
}

// settleOne remembers one interface for events to be compared with.
func (s *space) settleOne(want plan.Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bound[want.Name] = want.Port
	if _, over := s.ended[want.Name]; over {
		return // its end was announced just now, and is queued
	}
	if l, ok := s.seen.links[want.Name]; ok {
		s.watched[want.Name] = l
	}
}

// confirmPort reports one port, if that is news.
func (j *job) confirmPort(id sdn.PortID, up bool) {
	s := j.space
	s.mu.Lock()
	was := s.active[id]
	if up {
		s.active[id] = true
	} else {
		delete(s.active, id)
	}
	s.mu.Unlock()
	if was == up {
		return
	}
	if !up {
		j.facts.set(portFact(id), false)
	}
	j.cfg.Reports.SetActive(id, up)
	if up {
		j.facts.set(portFact(id), true)
	}
}
