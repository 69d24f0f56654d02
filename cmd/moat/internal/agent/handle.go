package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/moat/internal/netsource"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/tenant"
)

// Handle serves one call; run runs the plugins that it delegates to. The request's
// namespace becomes the agent's and is closed. A failure names the version of the
// specification that was asked for. Nothing goes on when it returns: of an ADD's time
// the last part is kept for undoing it.
func (a *Agent) Handle(ctx context.Context, r protocol.Request, run protocol.Runner) protocol.Reply {
	limit := a.limit(r)
	kept := time.Duration(0)
	if r.Env.Command == cniconf.Add {
		kept = min(undoTime, limit/3)
	}
	reply, left := a.handle(ctx, r, run, limit-kept)
	undoing, cancel := context.WithTimeout(context.WithoutCancel(ctx), kept)
	defer cancel()
	left.run(undoing)
	return reply
}

// limit is how long a call may take.
func (a *Agent) limit(r protocol.Request) time.Duration {
	if r.Timeout > 0 {
		return min(a.timeout, r.Timeout)
	}
	return a.timeout
}

// handle is Handle with what is left to undo when the caller has the reply.
func (a *Agent) handle(ctx context.Context, r protocol.Request, run protocol.Runner, limit time.Duration) (reply protocol.Reply, left aftermath) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := call{agent: a, request: r, others: delegates{r.Env, run}, left: &left}
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("panic in a CNI call", "call", r.Env.Subject(), "panic", p, "stack", string(debug.Stack()))
			reply = c.failure(&cniconf.Error{Code: cniconf.CodeInternal, Msg: fmt.Sprintf("%s: internal error: %v", r.Env.Subject(), p),
				Details: "the daemon's log has the trace; please report it"})
		}
	}()
	if r.Netns != protocol.NoNetns {
		c.netns = os.NewFile(uintptr(r.Netns), r.Env.Netns)
		defer c.netns.Close()
	}
	result, err := c.do(ctx)
	if err != nil {
		return c.failure(c.coded(ctx, err)), left
	}
	return protocol.Reply{Result: result}, left
}

// Undo takes back an ADD whose result did not reach the runtime; of other calls
// there is nothing to take back.
func (a *Agent) Undo(ctx context.Context, r protocol.Request, run protocol.Runner) error {
	if r.Env.Command != cniconf.Add {
		return nil
	}
	head, failure := cniconf.ReadHead(r.Env.Command, r.Config)
	if failure != nil {
		return failure
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	if r.Caller == protocol.CallerIPAM {
		return a.giveBack(ctx, a.attachment(head.Name, r.Env))
	}
	if several, err := a.undoNetworks(ctx, head, r, run); several {
		return err
	}
	return a.detach(ctx, a.attachment(head.Name, r.Env), r.Config, delegates{r.Env, run})
}

func (a *Agent) report(r protocol.Request, reply protocol.Reply, took time.Duration) {
	switch {
	case reply.Failure != nil:
		a.log.Warn("CNI call failed", "call", r.Env.Subject(), "code", reply.Failure.Code,
			"cause", reply.Failure.Msg, "took", took)
	case r.Env.Command == cniconf.Status:
		a.log.Debug("CNI call", "call", r.Env.Subject(), "took", took)
	default:
		a.log.Info("CNI call", "call", r.Env.Subject(), "took", took)
	}
}

func (a *Agent) attachment(network string, e cniconf.Env) ipam.Attachment {
	return ipam.Attachment{Node: a.node, Network: network, ContainerID: e.ContainerID, IfName: e.IfName}
}

func closeNetns(r protocol.Request) {
	if r.Netns != protocol.NoNetns {
		syscall.Close(r.Netns)
	}
}

// call is one call under way.
type call struct {
	agent   *Agent
	request protocol.Request
	netns   *os.File // nil: none came with it
	head    cniconf.Head
	others  delegates        // plugins of others, for this call
	left    *aftermath       // of this call
	known   *kubernetesPod   // nil: it is asked when it is needed
	wish    *netsource.Entry // what the network source wants of the tenant's own network; nil: nothing
}

// do checks the call and serves it. Errors are *cniconf.Error, *tenant.Error or
// the service's own.
func (c *call) do(ctx context.Context) ([]byte, error) {
	var failure *cniconf.Error
	if c.head, failure = cniconf.ReadHead(c.request.Env.Command, c.request.Config); failure != nil {
		return nil, failure
	}
	if c.request.Caller == protocol.CallerIPAM {
		return c.ipam(ctx)
	}
	switch c.request.Env.Command {
	case cniconf.Add:
		return c.addNetworks(ctx)
	case cniconf.Check:
		return nil, c.checkNetworks(ctx)
	case cniconf.Del: // the name is all it needs: a configuration that has become wrong must not keep a pod
		return nil, c.delNetworks(ctx)
	case cniconf.GC:
		return nil, c.collectNetworks(ctx)
	case cniconf.Status:
		return nil, c.status(ctx)
	default:
		return nil, &cniconf.Error{Code: cniconf.CodeEnvironment, Msg: fmt.Sprintf("unknown CNI_COMMAND %q", c.request.Env.Command)}
	}
}

func (c *call) add(ctx context.Context) (printed []byte, err error) {
	conf, err := ParseConfig(c.request.Config)
	if err != nil {
		return nil, err
	}
	attach, err := c.attachRequest(conf)
	if err != nil {
		return nil, err
	}
	if err := c.grant(ctx, &conf, &attach); err != nil {
		return nil, err
	}
	if err := c.addWish(&attach); err != nil {
		return nil, err
	}
	leave, err := c.agent.busy.Enter(ctx, attach.Attachment)
	if err != nil {
		return nil, err
	}
	held := &hold{leave: leave}
	defer held.end(&err)
	d := c.agent.delegated(attach.Attachment, c.others)
	if err := d.clear(ctx, c.steps(conf)); err != nil {
		return nil, err
	}
	printed, err = c.attach(ctx, conf, attach, d)
	if err != nil && !d.record.Added {
		c.takeBack(ctx, held, func(ctx context.Context) error { return d.undo(ctx, own) })
	}
	return printed, err
}

// del ends an attachment of the tenant's own network.
func (c *call) del(ctx context.Context) error {
	return c.agent.detach(ctx, c.agent.attachment(c.head.Name, c.request.Env), c.request.Config, c.others)
}

// attach makes the attachment with what other plugins give it, and prints it.
func (c *call) attach(ctx context.Context, conf Config, attach tenant.AttachRequest, d *delegated) ([]byte, error) {
	if conf.IPAM != "" {
		var err error
		if attach, err = c.othersAddress(ctx, conf, attach, d); err != nil {
			return nil, err
		}
	}
	got, err := c.agent.service.Attach(ctx, attach)
	if err != nil {
		return nil, err
	}
	if conf.DNS == nil && conf.IPAM != "" {
		conf.DNS = d.dns(conf)
	}
	printed, err := printResult(conf, c.request.Env, got)
	if err == nil {
		err = d.done()
	}
	if err != nil {
		d.record.Added = false
		undoing, cancel := awaited(ctx)
		defer cancel()
		return nil, errors.Join(err, c.agent.service.Detach(undoing, attach.Attachment))
	}
	return printed, nil
}

func (c *call) check(ctx context.Context) error {
	conf, err := ParseConfig(c.request.Config)
	if err != nil {
		return err
	}
	attach, err := c.attachRequest(conf)
	if err != nil {
		return err
	}
	want, err := remembered(conf, c.request.Env)
	if err != nil {
		return err
	}
	if err := c.checkOtherIPAM(ctx, conf); err != nil {
		return err
	}
	return c.agent.service.Check(ctx, attach, want)
}

func (c *call) status(ctx context.Context) error {
	conf, err := ParseConfig(c.request.Config)
	if err != nil {
		return err
	}
	if err := c.agent.service.Status(ctx); err != nil {
		return err
	}
	return c.tellOtherIPAM(ctx, cniconf.Status, conf.IPAM)
}

func (c *call) collect(ctx context.Context) error {
	valid, listed, err := validAttachments(c.request.Config)
	if err != nil || !listed {
		return err
	}
	all := make([]ipam.Attachment, 0, len(valid))
	for _, v := range valid {
		all = append(all, ipam.Attachment{Node: c.agent.node, Network: c.head.Name, ContainerID: v.ContainerID, IfName: v.IfName})
	}
	return errors.Join(
		c.agent.collectDelegated(ctx, c.head.Name, all, c.others),
		c.agent.service.Collect(ctx, c.agent.node, c.head.Name, all),
		c.tellOtherIPAM(ctx, cniconf.GC, ipamType(c.request.Config)))
}
