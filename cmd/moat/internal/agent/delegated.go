package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/delegations"
	"github.com/moatnet/moat/ipam"
)

// settleEvery is how often is tried again what could not be undone.
const settleEvery = 30 * time.Second

// delegated is what an attachment has other plugins do, while a call works on it.
type delegated struct {
	agent  *Agent
	others delegates
	record delegations.Record
}

// delegated reads what the attachment has had done; its lock is held. A record
// that cannot be read is as good as none: the call's configuration says what to do.
func (a *Agent) delegated(at ipam.Attachment, others delegates) *delegated {
	d := &delegated{agent: a, others: others, record: delegations.Record{Attachment: at, Env: others.env}}
	if a.delegations == nil {
		return d
	}
	rec, there, err := a.delegations.Get(at)
	switch {
	case err != nil:
		a.log.Error("read what is delegated", "attachment", at.String(), "error", err)
	case there:
		d.record = rec
	}
	return d
}

// clear makes way for an ADD with these steps: what an attachment had other plugins
// do is undone, with the attachment, unless it is in place and the same.
func (d *delegated) clear(ctx context.Context, steps []delegations.Step) error {
	same := func(a, b delegations.Step) bool { return a.Plugin == b.Plugin && a.IfName == b.IfName }
	if len(d.record.Steps) == 0 || d.record.Added && slices.EqualFunc(d.record.Steps, steps, same) {
		return nil
	}
	if err := d.detach(ctx, own); err != nil {
		return fmt.Errorf("undo an earlier ADD of %s: %w", d.record.Attachment, err)
	}
	return nil
}

// add notes the step and runs its ADD. It returns what the plugin printed. The
// caller undoes it when the call fails, also when add itself has failed: the plugin
// may have done its work.
func (d *delegated) add(ctx context.Context, s delegations.Step) ([]byte, error) {
	if d.agent.delegations == nil {
		return nil, &cniconf.Error{Code: cniconf.CodeConfig, Msg: fmt.Sprintf("plugin %q: this agent delegates nothing", s.Plugin)}
	}
	d.record.Added, d.record.Env = false, d.others.env
	d.record.Steps = append(d.record.Steps, s)
	if err := d.agent.delegations.Put(d.record); err != nil {
		return nil, err
	}
	out, err := d.others.run(ctx, delegation{plugin: s.Plugin, command: cniconf.Add, ifName: s.IfName, config: s.Config})
	last := len(d.record.Steps) - 1
	if never := (unstarted{}); errors.As(err, &never) {
		d.record.Steps = d.record.Steps[:last]
	}
	if err != nil {
		return nil, err
	}
	d.record.Steps[last].Result = out
	return out, nil
}

// done notes that the ADD succeeded, before the runtime is told.
func (d *delegated) done() error {
	if len(d.record.Steps) == 0 || d.record.Added {
		return nil
	}
	d.record.Added = true
	return d.agent.delegations.Put(d.record)
}

// undo runs DEL of all steps, the last first, and goes on after errors. What fails
// stays noted, and is tried again later. config says what
// a plugin reads.
func (d *delegated) undo(ctx context.Context, config func(delegations.Step) []byte) error {
	var errs []error
	var left []delegations.Step
	for _, s := range slices.Backward(d.record.Steps) {
		_, err := d.others.run(ctx, delegation{plugin: s.Plugin, command: cniconf.Del, ifName: s.IfName, config: config(s)})
		if err != nil {
			errs, left = append(errs, err), append(left, s)
		}
	}
	slices.Reverse(left)
	d.record.Steps, d.record.Added = left, false
	if d.agent.delegations == nil {
		return errors.Join(errs...)
	}
	if len(left) == 0 {
		return d.agent.delegations.Remove(d.record.Attachment)
	}
	return errors.Join(append(errs, d.agent.delegations.Put(d.record))...)
}

// own is the configuration that a step's ADD had.
func own(s delegations.Step) []byte { return s.Config }

// detach serves DEL of an attachment. What it had other plugins do is known from
// its record, else from the configuration, which may have become wrong: that must
// not keep a pod.
func (a *Agent) detach(ctx context.Context, at ipam.Attachment, config []byte, others delegates) (err error) {
	leave, err := a.busy.Enter(ctx, at)
	if err != nil {
		return err
	}
	defer leave(&err)
	d := a.delegated(at, others)
	plugin := ipamType(config)
	if plugin != "" && len(d.record.Steps) == 0 {
		d.record.Steps = []delegations.Step{{Plugin: plugin, IfName: others.env.IfName, Config: config}}
	}
	return d.detach(ctx, func(s delegations.Step) []byte {
		if s.Plugin == plugin && s.IfName == others.env.IfName {
			return config
		}
		return s.Config
	})
}

// Abandoned undoes what other plugins did for an attachment that was detached
// because its pod is gone. What fails is tried again later.
func (a *Agent) Abandoned(ctx context.Context, at ipam.Attachment) (err error) {
	if a.delegations == nil {
		return nil
	}
	leave, err := a.busy.Enter(ctx, at)
	if err != nil {
		return err
	}
	defer leave(&err)
	d := a.delegated(at, delegates{runner: a.runHere})
	d.others.env = late(d.record.Env)
	return d.undo(ctx, own)
}

// detach undoes what other plugins did for an attachment and then the attachment:
// both, whatever becomes of the other. Its lock is held.
func (d *delegated) detach(ctx context.Context, config func(delegations.Step) []byte) error {
	undone := d.undo(ctx, config)
	return errors.Join(undone, d.agent.service.Detach(ctx, d.record.Attachment))
}

// settle finishes what calls that ended before could not undo, and what a process
// that was killed had begun, until ctx ends.
func (a *Agent) settle(ctx context.Context) {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		if err := a.settleAll(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("undo what other plugins were to do", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// settleAll does it once for every attachment that no call works on.
func (a *Agent) settleAll(ctx context.Context) error {
	all, err := a.delegations.All()
	errs := []error{err}
	for _, rec := range all {
		if ctx.Err() != nil {
			break
		}
		if !rec.Added {
			errs = append(errs, a.settleOne(ctx, rec.Attachment))
		}
	}
	return errors.Join(errs...)
}

func (a *Agent) settleOne(ctx context.Context, at ipam.Attachment) (err error) {
	leave, entered := a.busy.Try(ctx, at)
	if !entered {
		return nil
	}
	defer leave(&err)
	d := a.delegated(at, delegates{runner: a.runHere})
	if d.record.Added || len(d.record.Steps) == 0 { // a call was faster
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	d.others.env = late(d.record.Env)
	return d.detach(ctx, own)
}

// late is the environment of a DEL that comes long after: the path of the pod's
// namespace may be another pod's by now.
func late(e cniconf.Env) cniconf.Env {
	e.Netns = ""
	return e
}

// collectDelegated detaches attachments of a network that had other plugins do
// something and that GC does not name.
func (a *Agent) collectDelegated(ctx context.Context, network string, keep []ipam.Attachment, others delegates) error {
	if a.delegations == nil {
		return nil
	}
	all, err := a.delegations.All()
	errs := []error{err}
	for _, rec := range all {
		if ctx.Err() != nil {
			errs = append(errs, ctx.Err())
			break
		}
		if rec.Attachment.Node != a.node || rec.Attachment.Network != network || slices.Contains(keep, rec.Attachment) {
			continue
		}
		leave, entered := a.busy.Try(ctx, rec.Attachment)
		if !entered {
			continue
		}
		env := late(rec.Env)
		env.Path = others.env.Path
		err := a.delegated(rec.Attachment, delegates{env, others.runner}).detach(ctx, own)
		leave(&err)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
