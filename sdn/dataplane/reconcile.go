package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

// job is one attempt to make one namespace as it is wanted.
type job struct {
	*Engine
	ctx      context.Context
	space    *space
	want     plan.Namespace
	report   Report
	observed bool     // the picture is fresh
	again    []string // namespaces whose links this one made or unmade
}

// take returns the state of a namespace by its name, locked for being looked at
// and written.
func (e *Engine) take(name string) *space {
	for {
		e.mu.Lock()
		s, ok := e.spaces[name]
		if !ok {
			s = newSpace(name)
			e.spaces[name] = s
		}
		e.mu.Unlock()
		s.apply.Lock()
		e.mu.Lock()
		current := e.spaces[name] == s
		e.mu.Unlock()
		if current {
			return s
		}
		s.apply.Unlock() // it was forgotten meanwhile
	}
}

// all lists the namespaces that the engine knows of.
func (e *Engine) all() []*space {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Values(e.spaces))
}

// reconcile makes one namespace as the topology wants it.
func (e *Engine) reconcile(ctx context.Context, name string, w work) (Report, []string, error) {
	s := e.take(name)
	defer s.apply.Unlock()
	j := &job{Engine: e, ctx: ctx, space: s}
	if err := ctx.Err(); err != nil {
		return j.report, nil, err
	}
	var err error
	if len(w.few) > 0 && s.quiet() {
		err = j.few(w.few)
	} else {
		err = j.run(w.observe)
	}
	if err != nil {
		s.seen = nil // whatever went wrong, the next attempt looks again
		s.failures++
		if vanished(err) && s.failures <= quietTries {
			e.log.Debug("something went away meanwhile, the namespace is looked at again", "namespace", name, "err", err)
			return j.report, append(j.again, name), nil
		}
		delay := min(retryDelay<<min(s.failures, 10), j.cfg.Interval)
		e.timers.after(alarm{name, retryAlarm}, delay, func() { e.queue.add(name, true) })
		err = fmt.Errorf("namespace %q: %w", name, err)
	} else {
		s.failures = 0
		e.timers.drop(alarm{name, retryAlarm})
	}
	return j.report, j.again, err
}

// retryDelay is the time after which a namespace that failed is tried again; it
// doubles with each failure, up to the interval of full passes.
const retryDelay = 50 * time.Millisecond

// quietTries is how often in a row a namespace may fail because something was
// deleted meanwhile before that is an error.
const quietTries = 2

// vanished says whether an error tells of something that was there when it was
// looked at, or planned, and is no more.
func vanished(err error) bool {
	for _, e := range []error{unix.ENODEV, unix.ENXIO, unix.ENETDOWN, fs.ErrNotExist, sdn.ErrNotFound} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (j *job) run(observe bool) error {
	gone, err := j.plan()
	if gone {
		return j.remove()
	}
	if err != nil {
		return err
	}
	j.unrealised()
	if err := j.enter(observe); err != nil {
		return err
	}
	steps := []func() error{j.sysctls, j.dropLinks, j.tables, j.admit, j.makeLinks, j.sysctls, j.setLinks, j.addresses, j.routing, j.neighbours}
	for _, step := range steps {
		if err := step(); err != nil {
			j.confirm(err)
			return err
		}
	}
	j.space.settle(j.want.Links)
	j.space.members = members(j.want.Links)
	j.confirm(nil)
	j.space.plain = !j.space.fixed && !slices.ContainsFunc(j.want.Tables, j.namesPorts)
	return j.dhcp()
}

// plan computes what is wanted; gone says that the namespace shall not be.
func (j *job) plan() (gone bool, err error) {
	j.cfg.Source.View(func(v sdn.View) {
		if j.space.name == "" {
			j.want, err = plan.Host(v, j.cfg.Plan)
			return
		}
		d, ok := j.device(v, j.space.name)
		if !ok {
			gone = true
			return
		}
		j.want, err = plan.Home(v, j.cfg.Plan, d)
	})
	return gone || errors.Is(err, sdn.ErrNotFound), err
}

// enter opens and observes the namespace where that is needed.
func (j *job) enter(observe bool) error {
	s := j.space
	if s.seen != nil && !observe {
		s.bury()
		return s.recheck()
	}
	alias := ""
	if len(j.want.Links) > 0 {
		alias = j.want.Links[0].Alias
	}
	if err := j.pinAgain(); err != nil {
		return err
	}
	j.making.Lock()
	made, err := s.enter(j.kernel, alias, s.name != "")
	j.making.Unlock()
	if made {
		j.report.Namespaces++
		s.mu.Lock()
		s.commits = 0
		s.mu.Unlock()
	}
	if err != nil {
		return err
	}
	j.mu.Lock()
	maps.DeleteFunc(j.byID, func(_ int, o *space) bool { return o == s })
	j.byID[s.id] = s
	j.mu.Unlock()
	s.mu.Lock()
	clear(s.suspects)
	s.mu.Unlock()
	s.fixed = s.fixed || len(j.want.Neighbours)+len(j.want.Stations) > 0
	if err := s.observe(j.ctx, j.sysctlKeys(), j.stamped); err != nil {
		return err
	}
	if lo := s.seen.links["lo"]; s.name != "" && lo.Alias != alias {
		return fmt.Errorf("it carries the stamp %q, not %q: it is not this installation's", lo.Alias, alias)
	}
	j.observed = true
	return nil
}

// pinAgain keeps a namespace, and all that is in it, that somebody unpinned while
// the engine has it open.
func (j *job) pinAgain() error {
	if j.space.name == "" || j.space.open == nil {
		return nil
	}
	again, err := j.kernel.PinAgain(j.space.name, j.space.open.FD())
	if again {
		j.report.Namespaces++
		j.log.Warn("somebody unpinned a router's namespace; it is pinned again", "namespace", j.space.name)
	}
	return err
}

// unrealised warns, once, of what the plan left out.
func (j *job) unrealised() {
	said := strings.Join(j.want.Unrealised, "; ")
	if said != j.space.unrealised && said != "" {
		j.log.Warn("parts of the topology are not realised", "namespace", j.space.name, "parts", said)
	}
	j.space.unrealised = said
}

func (j *job) sysctlKeys() []string {
	keys := make([]string, len(j.want.Sysctls))
	for i, s := range j.want.Sysctls {
		keys[i] = s.Key
	}
	return keys
}

// sysctls writes settings that differ. Those of an interface wait until it is
// there, which is why this step comes twice.
func (j *job) sysctls() error {
	var todo, want []plan.Sysctl
	var fresh []string
	for _, s := range j.want.Sysctls {
		if _, there := j.space.seen.links[s.Dev]; s.Dev == "" || there {
			want = append(want, s)
		}
	}
	for _, s := range want {
		if _, known := j.space.seen.sysctls[s.Key]; !known {
			fresh = append(fresh, s.Key)
		}
	}
	if len(fresh) > 0 {
		got, err := j.space.open.Sysctls(fresh)
		if err != nil {
			return err
		}
		maps.Copy(j.space.seen.sysctls, got)
	}
	for _, s := range want {
		if _, known := j.space.seen.sysctls[s.Key]; !known && s.Optional {
			j.space.seen.sysctls[s.Key] = s.Value // the kernel has no such thing to set
		}
		if v, ok := j.space.seen.sysctls[s.Key]; ok && v != s.Value {
			todo = append(todo, s)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	if j.space.name == "" && slices.ContainsFunc(todo, func(s plan.Sysctl) bool { return s.Key == plan.ForwardKey }) {
		j.log.Info("the host forwards IPv4 from now on, for the uplink", "sysctl", plan.ForwardKey)
	}
	j.report.Sysctls += len(todo)
	if err := j.space.open.SetSysctls(todo); err != nil {
		return err
	}
	for _, s := range todo {
		j.space.seen.sysctls[s.Key] = s.Value
	}
	return nil
}

func (j *job) tables() error {
	j.recallMembers()
	n, err := j.committing(j.space, func() (int, error) {
		return j.space.open.SetTables(j.ctx, j.space.seen.tables, j.want.Tables)
	})
	j.report.Tables += n
	if err != nil {
		return fmt.Errorf("nftables tables: %w", err)
	}
	j.space.seen.tables = j.want.Tables
	return nil
}
