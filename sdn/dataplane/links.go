package dataplane

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/effect"
	"github.com/moatnet/moat/sdn/plan"
)

// stamped says whether an alias is one of this installation's stamps.
func (e *Engine) stamped(alias string) bool {
	return e.cfg.Plan.Stamped(alias)
}

// makeLinks makes the bridges and pairs that are missing, and finds the bound
// interfaces that are.
func (j *job) makeLinks() error {
	for _, l := range j.want.Links {
		if _, ok := j.space.seen.links[l.Name]; ok && l.Kind != plan.VethLink {
			continue
		}
		var err error
		switch l.Kind {
		case plan.BridgeLink:
			err = j.makeBridge(l)
		case plan.VethLink:
			err = j.makePair(l)
		case plan.BoundLink:
			err = j.findBound(l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *job) makeBridge(l plan.Link) error {
	r, err := rtnl.AddBridge(rtnl.NewLink{Name: l.Name, MAC: l.MAC, MTU: l.MTU})
	if err != nil {
		return err
	}
	j.report.Links++
	if err := j.space.open.Write([]rtnl.Request{r}); err != nil {
		return err
	}
	return j.space.look(l.Name)
}

// makePair makes a veth pair, unless this end is there: whoever applies the
// other end's namespace may have made it meanwhile.
func (j *job) makePair(l plan.Link) error {
	if cur, ok := j.space.seen.links[l.Name]; ok && cur.Kind == "veth" {
		return nil
	}
	j.making.Lock()
	defer j.making.Unlock()
	if err := j.space.look(l.Name); err != nil {
		return err
	}
	if cur, ok := j.space.seen.links[l.Name]; ok {
		if cur.Kind == "veth" {
			return nil
		}
		return fmt.Errorf("link %s: a %s of that name is in the way", l.Name, cur.Kind)
	}
	peer, err := j.openPeer(l)
	if err != nil {
		return err
	}
	defer peer.Close()
	if err := j.clearHalf(peer, l.Peer); err != nil {
		return err
	}
	r, err := rtnl.AddVeth(rtnl.NewLink{Name: l.Name, MAC: l.MAC, MTU: l.MTU}, rtnl.NewLink{Name: l.Peer, MTU: l.MTU}, peer.FD())
	if err != nil {
		return err
	}
	j.report.Links++
	if err := j.space.open.Write([]rtnl.Request{r}); err != nil {
		return err
	}
	j.again = append(j.again, l.PeerNamespace)
	return j.space.look(l.Name)
}

// openPeer opens the namespace of the other end, and makes it first if it is
// not there yet.
func (j *job) openPeer(l plan.Link) (Space, error) {
	peer, err := j.kernel.Open(l.PeerNamespace)
	if !errors.Is(err, fs.ErrNotExist) {
		return peer, err
	}
	var device sdn.DeviceID
	j.cfg.Source.View(func(v sdn.View) { device, _ = j.device(v, l.PeerNamespace) })
	if device == "" {
		return nil, fmt.Errorf("link %s: namespace %s of its other end: %w", l.Name, l.PeerNamespace, sdn.ErrNotFound)
	}
	if err := j.kernel.CreateNamespace(l.PeerNamespace, j.cfg.Plan.HomeStamp(device)); err != nil {
		return nil, err
	}
	j.report.Namespaces++
	return j.kernel.Open(l.PeerNamespace)
}

// clearHalf removes an interface of Moat's that has the name of the other end
// but belongs to an older pair.
func (j *job) clearHalf(peer Space, name string) error {
	old, ok, err := peer.Link(name)
	if err != nil || !ok {
		return err
	}
	if old.Alias != "" && !j.stamped(old.Alias) {
		return fmt.Errorf("link %s: its name is taken by a stranger, alias %q", name, old.Alias)
	}
	j.report.Links++
	return effect.Undo("delete half of an older pair", func() error { return peer.Write([]rtnl.Request{rtnl.DelLink(old.Index, name)}) })
}

// dropLinks removes stamped interfaces that are not wanted: at once when this
// engine wanted them before, after the grace time otherwise.
func (j *job) dropLinks() error {
	want := make(map[string]sdn.PortID, len(j.want.Links))
	for _, l := range j.want.Links {
		want[l.Name] = l.Port
	}
	var errs []error
	for name, l := range j.space.seen.links {
		if _, wanted := want[name]; wanted || name == "lo" || !j.stamped(l.Alias) && !j.halfMade(l) {
			delete(j.space.orphans, name)
			continue
		}
		if _, before := j.space.wanted[name]; !before && !j.overdue(name) {
			continue
		}
		errs = append(errs, j.drop(l))
	}
	for name := range j.space.wanted {
		if _, still := want[name]; !still {
			j.unwait(name)
		}
	}
	j.space.wanted = want
	return errors.Join(errs...)
}

// unwait forgets an interface that no plan wants any more.
func (j *job) unwait(name string) {
	delete(j.space.leaving, name)
	j.facts.set(bridgeFact(name), false)
	j.timers.drop(alarm{j.space.name, name})
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.waiting[name].space == j.space {
		delete(j.waiting, name)
	}
}

// halfMade says whether an interface is of a pair whose maker died before it
// could stamp it, which the kernel does not do with the making: in a namespace
// that is stamped itself, by its name and bridge.
func (j *job) halfMade(l rtnl.Link) bool {
	return j.space.name != "" && l.Alias == "" && l.Kind == "veth" && l.Master != 0 && sdn.IsInterfaceName(l.Name)
}

func (j *job) overdue(name string) bool {
	since, known := j.space.orphans[name]
	if !known {
		since = time.Now()
		j.space.orphans[name] = since
	}
	left := j.cfg.Grace - time.Since(since)
	if left > 0 {
		j.timers.within(alarm{j.space.name, orphanAlarm}, left, func() { j.queue.add(j.space.name, true) })
	}
	return left <= 0
}

// drop deletes an interface that was made for Moat, and gives one that was not
// back to the host.
func (j *job) drop(l rtnl.Link) error {
	j.space.mu.Lock()
	delete(j.space.watched, l.Name) // its end is no news
	j.space.mu.Unlock()
	j.report.Links++
	var err error
	if j.isGuest(l) {
		err = j.giveBack(l)
	} else {
		err = effect.Undo("delete an interface that no plan wants", func() error {
			return j.space.open.Write([]rtnl.Request{rtnl.DelLink(l.Index, l.Name)})
		})
	}
	if err != nil {
		return err
	}
	j.space.seen.forget(l.Name)
	delete(j.space.orphans, l.Name)
	delete(j.space.leaving, l.Name)
	return nil
}

// setLinks sets what differs of the interfaces that are there.
func (j *job) setLinks() error {
	for _, l := range j.want.Links {
		cur, ok := j.space.seen.links[l.Name]
		if !ok {
			continue
		}
		c, err := j.difference(l, cur)
		if err != nil {
			return err
		}
		if c.Empty() {
			continue
		}
		if err := j.write(cur, c); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) write(cur rtnl.Link, c rtnl.LinkChange) error {
	batch, err := rtnl.ChangeLink(cur.Index, c)
	if err != nil {
		return err
	}
	j.report.Links += len(batch)
	if err := j.space.open.Write(batch); err != nil {
		if errors.Is(err, unix.ENODEV) { // it went away just now
			j.space.seen.forget(c.Name)
			return nil
		}
		return err
	}
	j.space.seen.renew(cur, applied(cur, c))
	return nil
}

func applied(l rtnl.Link, c rtnl.LinkChange) rtnl.Link {
	set(&l.Alias, c.Alias)
	set(&l.MAC, c.MAC)
	set(&l.MTU, c.MTU)
	set(&l.Master, c.Master)
	set(&l.Up, c.Up)
	set(&l.NoARP, c.NoARP)
	if c.Master != nil {
		l.AnswerARP = false
	}
	set(&l.AnswerARP, c.AnswerARP)
	set(&l.Unlearned, c.Unlearned)
	return l
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}
