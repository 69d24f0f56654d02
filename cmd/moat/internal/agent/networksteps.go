package agent

import (
	"context"
	"errors"
	"slices"

	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/netsource"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/tenant"
)

// makeNetworks makes them in their order, and completes the record. After an
// error the record has what was begun, in memory.
func (c *call) makeNetworks(ctx context.Context, conf Config, rec *networkRecord) ([]byte, error) {
	results := make([]*types100.Result, 0, len(rec.Steps))
	for i, s := range rec.Steps {
		r, begun, err := c.makeStep(ctx, conf, s)
		if err == nil {
			err = obeyed(s, r)
		}
		if err != nil {
			rec.Steps = slices.Concat(rec.Steps[:i], begun)
			return nil, stepFailure(c.request.Env.Subject(), s, err)
		}
		results = append(results, r)
	}
	all, err := merged(conf, rec.Steps, results)
	if err != nil {
		return nil, err
	}
	rec.Done = true
	if err := c.agent.networks.write(*rec); err != nil {
		return nil, err
	}
	return printAs(conf.CNIVersion, all)
}

// stepFailure says in which network an ADD failed, unless the tenant's own says
// it itself.
func stepFailure(subject string, s netsource.Step, err error) error {
	if served := (*tenant.Error)(nil); errors.As(err, &served) {
		return err
	}
	return networkFailure(subject, s, err)
}

// makeStep makes one network. begun is the step as far as it is to be undone, or
// nothing.
func (c *call) makeStep(ctx context.Context, conf Config, s netsource.Step) (r *types100.Result, begun []netsource.Step, err error) {
	if s.List == nil {
		own := *c
		own.wish = &s.Entry
		printed, err := own.add(ctx)
		if err != nil {
			return nil, []netsource.Step{s}, err
		}
		r, err = readResult(Config{CNIVersion: conf.CNIVersion, PrevResult: printed})
		return r, []netsource.Step{s}, err
	}
	w, err := c.annotated(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	chain, err := c.stepChain(s, c.request.Env.Args)
	if err != nil {
		return nil, nil, err
	}
	r, ran, err := chain.add(ctx)
	if err == nil {
		err = granted(w, s, r)
	}
	part, some, failed := s.Begun(ran)
	if some {
		begun = []netsource.Step{part}
	}
	return r, begun, errors.Join(err, failed)
}

func (c *call) stepChain(s netsource.Step, args string) (chain, error) {
	return c.chain(s, args, c.agent.networks.folder(c.agent.attachment(c.head.Name, c.request.Env)))
}

// resumeNetworks answers for a pod whose networks are recorded: what the first
// ADD answered, if all of them are in place; else they are undone. When it cannot be
// said now whether they are, neither is done: the pod may be alive.
func (c *call) resumeNetworks(ctx context.Context, conf Config, rec networkRecord) ([]byte, error) {
	if rec.Done {
		result, err := c.inPlace(ctx, conf, rec)
		if err == nil {
			return printAs(conf.CNIVersion, result)
		}
		if ctx.Err() != nil || passing(err) {
			return nil, err
		}
		c.agent.log.Info("a pod's networks are recorded but not in place; they are made anew", "call", c.request.Env.Subject(), "error", err)
	}
	return nil, c.undoSteps(ctx, rec)
}

// inPlace is the result of the networks of a record, all of which are there.
func (c *call) inPlace(ctx context.Context, conf Config, rec networkRecord) (*types100.Result, error) {
	results := make([]*types100.Result, 0, len(rec.Steps))
	for _, s := range rec.Steps {
		r, err := c.again(ctx, conf, rec, s)
		switch {
		case passing(err):
			return nil, err
		case err != nil:
			return nil, networkFailure(c.request.Env.Subject(), s, err)
		}
		results = append(results, r)
	}
	return merged(conf, rec.Steps, results)
}

// passing says whether an error tells nothing of what there is: the store, the SDN, the
// API server or a plugin has no answer now.
func passing(err error) bool {
	var served *tenant.Error
	var own *cniconf.Error
	return errors.Is(err, ipam.ErrUnavailable) || errors.As(err, &served) && served.Code == tenant.CodeTryAgain ||
		errors.As(err, &own) && own.Code == cniconf.CodeTryAgain
}

// again is the result of one network that is in place. The tenant's own says so
// by its answer to a repeated ADD.
func (c *call) again(ctx context.Context, conf Config, rec networkRecord, s netsource.Step) (*types100.Result, error) {
	if s.List == nil {
		r, _, err := c.makeStep(ctx, conf, s)
		return r, err
	}
	chain, err := c.stepChain(s, rec.Env.Args)
	if err == nil {
		err = chain.check(ctx)
	}
	if err != nil {
		return nil, err
	}
	return chain.made()
}
