package agent

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/moat/internal/holdings"
	"github.com/moatnet/moat/cmd/moat/internal/netsource"
)

// takeBackNetworks undoes what an ADD did that failed for a reason. A plugin that
// refuses its configuration twice, to ADD and to DEL, did nothing.
func (c *call) takeBackNetworks(ctx context.Context, h *hold, rec networkRecord, why error) {
	failed := ""
	if n := len(rec.Steps); n > 0 {
		failed = rec.Steps[n-1].IfName
	}
	forgiven := func(s netsource.Step, err error) bool { return s.IfName == failed && refused(why) && refused(err) }
	c.takeBack(ctx, h, func(ctx context.Context) error { return c.undo(ctx, &rec, forgiven) })
}

// refused says whether a plugin did not take its configuration (CNI 1.1.0,
// section 5: codes 1, 2, 6 and 7).
func refused(err error) bool {
	var e *cniconf.Error
	return errors.As(err, &e) && slices.Contains([]cniconf.Code{cniconf.CodeVersion, cniconf.CodeUnsupported, cniconf.CodeDecode, cniconf.CodeConfig}, e.Code)
}

// undoSteps undoes all networks of a record in reverse, and forgets it when
// nothing of them is left.
func (c *call) undoSteps(ctx context.Context, rec networkRecord) error {
	return c.undo(ctx, &rec, func(netsource.Step, error) bool { return false })
}

// undo is undoSteps; forgiven says which failure of which step is none. The record
// has what is left, in memory too.
func (c *call) undo(ctx context.Context, rec *networkRecord, forgiven func(netsource.Step, error) bool) error {
	undo := *c
	undo.request.Env.Command = cniconf.Del
	undo.others.env = undo.request.Env
	var errs []error
	var left []netsource.Step
	for _, s := range slices.Backward(rec.Steps) {
		if err := undo.undoStep(ctx, *rec, s); err != nil && !forgiven(s, err) {
			errs, left = append(errs, err), append(left, s)
		}
	}
	slices.Reverse(left)
	rec.Steps, rec.Done = left, false
	if len(left) == 0 {
		return c.agent.networks.remove(rec.Attachment)
	}
	return errors.Join(append(errs, c.agent.networks.write(*rec))...)
}

func (c *call) undoStep(ctx context.Context, rec networkRecord, s netsource.Step) error {
	if s.List == nil {
		return c.del(ctx)
	}
	chain, err := c.stepChain(s, rec.Env.Args)
	if err == nil {
		err = chain.del(ctx)
	}
	if err != nil {
		failure := networkFailure(c.request.Env.Subject(), s, err)
		failure.Details = strings.TrimPrefix(failure.Details+"; ", "; ") + "what is left to undo is recorded in " + c.agent.networks.folder(rec.Attachment)
		return failure
	}
	return nil
}

// delNetworks undoes all that is recorded of a pod; the source is not asked.
func (c *call) delNetworks(ctx context.Context) error {
	return c.withRecord(ctx, c.undoSteps, c.del)
}

// checkNetworks checks all that is recorded of a pod.
func (c *call) checkNetworks(ctx context.Context) error {
	return c.withRecord(ctx, c.checkSteps, c.check)
}

// withRecord does one thing for a pod of several networks, and another for all
// others, which it keeps from nothing.
func (c *call) withRecord(ctx context.Context, several func(context.Context, networkRecord) error, one func(context.Context) error) (err error) {
	at := c.agent.attachment(c.head.Name, c.request.Env)
	leave, err := c.agent.networks.enter(ctx, at)
	if err != nil {
		return err
	}
	defer leave(&err)
	rec, err := c.agent.networks.read(at)
	switch {
	case err != nil:
		return err
	case rec == nil:
		return one(ctx)
	}
	return several(ctx, *rec)
}

func (c *call) checkSteps(ctx context.Context, rec networkRecord) error {
	if !rec.Done {
		return c.checkFailed("its networks were not all made")
	}
	for _, s := range rec.Steps {
		if s.List == nil {
			own := *c
			own.wish = &s.Entry
			if err := own.check(ctx); err != nil {
				return err
			}
			continue
		}
		chain, err := c.stepChain(s, rec.Env.Args)
		if err == nil {
			err = chain.check(ctx)
		}
		if err != nil && !errors.Is(err, libcni.ErrorCheckNotSupp) {
			return networkFailure(c.request.Env.Subject(), s, err)
		}
	}
	return nil
}

// collectNetworks is GC: it undoes what is recorded of this network and not
// listed, and forwards GC to the networks that the source may name.
func (c *call) collectNetworks(ctx context.Context) error {
	err := c.collect(ctx)
	valid, listed, failed := validAttachments(c.request.Config)
	if failed != nil || !listed {
		return err
	}
	all, failed := c.agent.networks.list()
	errs := []error{err, failed}
	for _, rec := range all {
		keep := slices.Contains(valid, types.GCAttachment{ContainerID: rec.Attachment.ContainerID, IfName: rec.Attachment.IfName})
		if !keep && ctx.Err() == nil && rec.Attachment.Node == c.agent.node && rec.Attachment.Network == c.head.Name {
			errs = append(errs, c.agent.undoRecorded(ctx, rec, c.others.runner))
		}
	}
	return errors.Join(append(errs, ctx.Err(), c.forwardGC(ctx))...)
}

// forwardGC tells each network which of its attachments are recorded still.
func (c *call) forwardGC(ctx context.Context) error {
	if c.agent.source == nil {
		return nil
	}
	all, err := c.agent.networks.list()
	if err != nil {
		return err // it is not known what is valid
	}
	networks, err := netsource.All(c.agent.source.Folder)
	errs := []error{err}
	for _, n := range networks {
		valid := []types.GCAttachment{}
		for _, rec := range all {
			for _, s := range rec.Steps {
				if s.Network == n.Network {
					valid = append(valid, types.GCAttachment{ContainerID: rec.Attachment.ContainerID, IfName: s.IfName})
				}
			}
		}
		chain, err := c.chain(n, "", "")
		if err == nil {
			err = chain.collect(ctx, valid)
		}
		if err != nil {
			errs = append(errs, networkFailure(c.request.Env.Subject(), n, err))
		}
	}
	return errors.Join(errs...)
}

// undoRecorded undoes what is recorded of a pod that does not call itself, unless
// it does now. Its namespace is named to the plugins only if the same one is at its
// path still.
func (a *Agent) undoRecorded(ctx context.Context, rec networkRecord, run protocol.Runner) (err error) {
	env := rec.Env
	env.Command = cniconf.Del
	if !(holdings.Pods{BootID: a.boot}).Living(env.Netns, rec.PodInode, rec.BootID) {
		env.Netns = ""
	}
	r := protocol.Request{Caller: protocol.CallerCNI, Env: env, Config: rec.Config, Netns: protocol.NoNetns}
	head, failure := cniconf.ReadHead(env.Command, r.Config)
	if failure != nil {
		return failure
	}
	leave, entered := a.networks.busy.Try(ctx, rec.Attachment)
	if !entered {
		return nil
	}
	defer leave(&err)
	now, err := a.networks.read(rec.Attachment)
	if err != nil || now == nil || !now.At.Equal(rec.At) { // another ADD came since
		return err
	}
	c := call{agent: a, request: r, head: head, others: delegates{env, run}}
	return c.undoSteps(ctx, *now)
}

// undoNetworks is Undo for a pod of several networks; false: it is none.
func (a *Agent) undoNetworks(ctx context.Context, head cniconf.Head, r protocol.Request, run protocol.Runner) (several bool, err error) {
	at := a.attachment(head.Name, r.Env)
	leave, err := a.networks.enter(ctx, at)
	if err != nil {
		return true, err
	}
	defer leave(&err)
	rec, err := a.networks.read(at)
	if err != nil || rec == nil {
		return err != nil, err
	}
	c := call{agent: a, request: r, head: head, others: delegates{r.Env, run}}
	return true, c.undoSteps(ctx, *rec)
}
