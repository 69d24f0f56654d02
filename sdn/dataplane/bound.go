package dataplane

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/plan"
)

// findBound looks for a bound interface that is not in the picture: here, where
// an agent makes it, then on the host, from where it is moved. Events have told
// of it if it is there, and if it is not, they will.
func (j *job) findBound(l plan.Link) error {
	if l.Name == "lo" {
		return nil
	}
	j.mu.Lock()
	since := j.waiting[l.Name].since
	if since.IsZero() {
		since = time.Now()
	}
	j.waiting[l.Name] = awaited{j.space, l.Port, since}
	host := j.spaces[""]
	j.mu.Unlock()
	there, soon := j.space.meet(l.Name, since)
	if soon {
		j.timers.within(alarm{j.space.name, l.Name}, makeDelay, func() { j.queue.put(j.space.name, fewOf(l.Port)) })
	}
	if there || soon {
		return nil
	}
	if !j.observed && host != nil && !host.mayHold(l.Name) {
		return nil
	}
	moved := false
	err := j.onHost(func(host Space) (err error) {
		moved, err = j.fetch(host, l)
		return err
	})
	if err != nil || !moved {
		return err
	}
	if err := j.space.look(l.Name); err != nil {
		return err
	}
	stamp := j.cfg.Plan.GuestStamp(l.Port)
	if cur, ok := j.space.seen.links[l.Name]; ok && !j.ownPort(cur.Alias, l.Port) {
		return j.write(cur, rtnl.LinkChange{Name: l.Name, Alias: &stamp})
	}
	return nil
}

// fetch moves an interface from the host to here, if there is one.
func (j *job) fetch(host Space, l plan.Link) (bool, error) {
	found, ok, err := host.Link(l.Name)
	if err != nil || !ok {
		return false, err
	}
	if strings.HasPrefix(found.Alias, "moat:") && !j.ownPort(found.Alias, l.Port) {
		return false, fmt.Errorf("bound interface %s is in use, alias %q", l.Name, found.Alias)
	}
	fd := j.space.open.FD()
	move, err := rtnl.SetLink(found.Index, rtnl.LinkChange{Name: l.Name, NamespaceFD: &fd})
	if err != nil {
		return false, err
	}
	j.report.Links++
	return true, host.Write([]rtnl.Request{move})
}

// ownPort says whether an alias is a stamp of that port.
func (e *Engine) ownPort(alias string, p sdn.PortID) bool {
	return alias == e.cfg.Plan.PortStamp(p) || alias == e.cfg.Plan.GuestStamp(p)
}

// isGuest says whether an interface is someone else's.
func (e *Engine) isGuest(l rtnl.Link) bool {
	return strings.HasPrefix(l.Alias, sdn.Stamp(e.cfg.Plan.Installation, plan.KindGuest, ""))
}

func (j *job) giveBack(l rtnl.Link) error {
	return j.onHost(func(host Space) error { return j.giveTo(host, l) })
}

func (j *job) giveTo(host Space, l rtnl.Link) error {
	fd, none, down, out := host.FD(), "", false, 0
	c := rtnl.LinkChange{Name: l.Name, Alias: &none, Up: &down}
	if l.Master != 0 {
		c.Master = &out
	}
	first, err := rtnl.SetLink(l.Index, c)
	if err != nil {
		return err
	}
	move, err := rtnl.SetLink(l.Index, rtnl.LinkChange{Name: l.Name, NamespaceFD: &fd})
	if err != nil {
		return err
	}
	return j.space.open.Write([]rtnl.Request{first, move})
}

// releaseGuests gives all foreign interfaces back before their namespace goes.
func (j *job) releaseGuests() error {
	links, err := j.space.open.Links()
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range links {
		if j.isGuest(l) {
			j.report.Links++
			errs = append(errs, j.giveBack(l))
		}
	}
	return errors.Join(errs...)
}
