package agent

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/netsource"
	"github.com/moatnet/moat/ipam"
)

// NetworkSource says which networks pods get.
type NetworkSource struct {
	// Ask answers for one pod; errors are *netsource.Error.
	Ask        func(ctx context.Context, p netsource.Pod) ([]netsource.Entry, error)
	Folder     fs.FS    // of the networks that it may name
	Namespaces []string // whose pods it is asked about; none: all
	Required   bool     // a pod without an answer is refused; else it gets its tenant's network
}

// addNetworks makes all networks of a pod, or none of them. API server and network
// source are asked while nobody has to wait for this call.
func (c *call) addNetworks(ctx context.Context) ([]byte, error) {
	pod, asked, err := c.pod()
	if err != nil {
		return nil, err
	}
	conf, err := ParseConfig(c.request.Config)
	if err != nil {
		return nil, err
	}
	c.known = c.ask(ctx, cniconf.Args(c.request.Env.Args))
	at := c.agent.attachment(c.head.Name, c.request.Env)
	for {
		rec, err := c.agent.networks.read(at)
		plan := networkPlan{known: !asked}
		if err == nil && asked && rec == nil {
			plan.known = true
			plan.steps, err = c.planNetworks(ctx, pod, conf)
		}
		if err != nil {
			return nil, err
		}
		printed, err := c.addPlanned(ctx, at, conf, plan)
		if !errors.Is(err, errUnplanned) {
			return printed, err
		}
	}
}

// errUnplanned says that the source has to be asked after all.
var errUnplanned = errors.New("the networks that were recorded are undone, others are not known")

// networkPlan is what a pod is to get; no steps: its tenant's network.
type networkPlan struct {
	known bool
	steps []netsource.Step
}

// addPlanned is addNetworks, alone with the attachment. What is recorded counts before
// what is planned.
func (c *call) addPlanned(ctx context.Context, at ipam.Attachment, conf Config, plan networkPlan) (printed []byte, err error) {
	leave, err := c.agent.networks.enter(ctx, at)
	if err != nil {
		return nil, err
	}
	held := &hold{leave: leave}
	defer held.end(&err)
	rec, err := c.agent.networks.read(at)
	if err != nil {
		return nil, err
	}
	if rec != nil {
		if again, err := c.resumeNetworks(ctx, conf, *rec); again != nil || err != nil {
			return again, err
		}
	}
	switch {
	case !plan.known:
		return nil, errUnplanned
	case plan.steps == nil:
		return c.add(ctx)
	}
	return c.recordNetworks(ctx, held, plan.steps, conf)
}

// recordNetworks makes networks that are not recorded yet.
func (c *call) recordNetworks(ctx context.Context, h *hold, steps []netsource.Step, conf Config) ([]byte, error) {
	rec := networkRecord{Attachment: c.agent.attachment(c.head.Name, c.request.Env), Env: c.request.Env, Config: c.request.Config, At: time.Now(), Steps: steps}
	if rec.PodInode = c.visibleInode(); rec.PodInode != 0 {
		rec.BootID = c.agent.boot
	}
	if err := c.agent.networks.write(rec); err != nil {
		return nil, err
	}
	printed, err := c.makeNetworks(ctx, conf, &rec)
	if err != nil {
		c.takeBackNetworks(ctx, h, rec, err)
		return nil, err
	}
	return printed, nil
}

// pod is whom the source is asked about; asked is false where it is not: pods of
// other namespaces, and containers that are no pods.
func (c *call) pod() (p netsource.Pod, asked bool, err error) {
	source := c.agent.source
	if source == nil {
		return p, false, nil
	}
	args, err := readArgs(c.request.Env.Args)
	if err != nil {
		return p, false, err
	}
	p = netsource.Pod{Name: args["K8S_POD_NAME"], Namespace: args["K8S_POD_NAMESPACE"], UID: args["K8S_POD_UID"], Node: c.agent.node,
		Network: c.head.Name, IfName: c.request.Env.IfName}
	listed := len(source.Namespaces) == 0 || slices.Contains(source.Namespaces, p.Namespace)
	return p, p.Name != "" && listed, nil
}

// planNetworks asks the source. No steps: the pod gets its tenant's network.
func (c *call) planNetworks(ctx context.Context, pod netsource.Pod, conf Config) ([]netsource.Step, error) {
	source := c.agent.source
	entries, err := source.Ask(ctx, pod)
	if err == nil && len(entries) == 0 {
		if !source.Required {
			return nil, nil
		}
		err = &netsource.Error{Msg: "network source: data is empty, it names no network for this pod",
			Details: "correct what it answers, or let such pods have their tenant's network with networkSource.required: false"}
	}
	var steps []netsource.Step
	if err == nil {
		steps, err = netsource.Plan(entries, c.request.Env.IfName, conf.Name, source.Folder)
	}
	var failed *netsource.Error
	if errors.As(err, &failed) {
		code := cniconf.CodeConfig
		if failed.Passing {
			code = cniconf.CodeTryAgain
		}
		return nil, &cniconf.Error{Code: code, Msg: c.request.Env.Subject() + ": " + failed.Msg, Details: failed.Details}
	}
	return steps, err
}
