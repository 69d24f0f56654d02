package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/tenant"
)

// ipam serves the IPAM plugin: addresses of pools for interfaces that other
// plugins make.
func (c *call) ipam(ctx context.Context) ([]byte, error) {
	if c.agent.pools == nil {
		return nil, &cniconf.Error{Code: cniconf.CodeConfig, Msg: c.request.Env.Subject() + ": this agent keeps no pools"}
	}
	switch c.request.Env.Command {
	case cniconf.Add:
		return c.ipamAdd(ctx)
	case cniconf.Check:
		return nil, c.ipamCheck(ctx)
	case cniconf.Del: // the name is all it needs: a configuration that has become wrong must not keep a pod
		return nil, c.agent.giveBack(ctx, c.agent.attachment(c.head.Name, c.request.Env))
	case cniconf.GC:
		return nil, c.ipamCollect(ctx)
	default:
		return nil, c.ipamStatus(ctx)
	}
}

func (c *call) ipamAdd(ctx context.Context) ([]byte, error) {
	conf, err := parseIPAM(c.request.Config, c.request.Env.Args)
	if err != nil {
		return nil, err
	}
	want, err := c.grantPool(ctx, &conf)
	if err != nil {
		return nil, err
	}
	h := ipam.Holding{
		Pool: conf.pool, Sticky: want.Sticky, Attachment: c.agent.attachment(c.head.Name, c.request.Env), PodNetns: c.request.Env.Netns,
		PodNamespace: conf.args["K8S_POD_NAMESPACE"], PodName: conf.args["K8S_POD_NAME"], PodUID: conf.args["K8S_POD_UID"],
	}
	if h.PodInode = c.visibleInode(); h.PodInode != 0 {
		h.BootID = c.agent.boot
	}
	got, err := c.agent.pools.Hold(ctx, h, conf.wish)
	if err != nil {
		return nil, c.refused(ctx, conf.askedFrom, err)
	}
	settled, err := c.settle(want, conf.askedFrom, got)
	if err != nil && !got.Made {
		return nil, err // of an earlier ADD, whose pod may be alive
	}
	if err != nil {
		undoing, cancel := awaited(ctx)
		defer cancel()
		return nil, errors.Join(err, c.agent.pools.GiveBack(undoing, got))
	}
	return printLeases(conf, settled)
}

// refused adds to the error of a pool who wanted what, by from, and the pod that has
// it.
func (c *call) refused(ctx context.Context, from string, err error) error {
	var used *ipam.AddressInUseError
	if errors.As(err, &used) {
		if h, missing := c.agent.pools.Holding(ctx, used.Holder); missing == nil && h.PodName != "" {
			err = fmt.Errorf("%w: it is pod %s/%s's", err, h.PodNamespace, h.PodName)
		}
	}
	if from != "" && !errors.Is(err, ipam.ErrUnavailable) {
		err = fmt.Errorf("%s: %w", from, err)
	}
	return err
}

// visibleInode is the inode of the pod's namespace, if its end can be told later;
// else 0.
func (c *call) visibleInode() uint64 {
	return c.agent.sightings.inode(c.netns, c.request.Env.Netns)
}

// printLeases is an IPAM result: addresses without interfaces.
func printLeases(conf ipamCall, h ipam.Holding) ([]byte, error) {
	result := &types100.Result{CNIVersion: types100.ImplementedSpecVersion, Routes: conf.routes}
	if conf.dns != nil {
		result.DNS = *conf.dns
	}
	for _, l := range h.Leases {
		result.IPs = append(result.IPs, &types100.IPConfig{Address: ipNet(l.Address), Gateway: l.Gateway.AsSlice()})
	}
	asked, err := result.GetAsVersion(conf.version)
	if err != nil {
		return nil, fmt.Errorf("result in version %s: %w", conf.version, err)
	}
	out, err := json.Marshal(asked)
	if err != nil {
		return nil, fmt.Errorf("print result: %w", err)
	}
	return append(out, '\n'), nil
}

// ipamCheck compares what is held with what the runtime remembers.
func (c *call) ipamCheck(ctx context.Context) error {
	h, err := c.agent.pools.Holding(ctx, c.agent.attachment(c.head.Name, c.request.Env))
	if errors.Is(err, ipam.ErrNotFound) {
		return c.checkFailed("it holds no address")
	}
	if err != nil {
		return err
	}
	raw := struct {
		PrevResult json.RawMessage `json:"prevResult"`
	}{}
	if err := json.Unmarshal(c.request.Config, &raw); err != nil {
		return decodeError(err)
	}
	if len(raw.PrevResult) == 0 {
		return nil // a main plugin may leave it out for its IPAM plugin
	}
	result, err := readResult(Config{CNIVersion: c.head.CNIVersion, PrevResult: raw.PrevResult})
	if err != nil {
		return err
	}
	for _, l := range h.Leases {
		if !slices.ContainsFunc(result.IPs, func(ip *types100.IPConfig) bool { return prefix(ip.Address) == l.Address }) {
			return c.checkFailed(fmt.Sprintf("it holds %s, which the result of ADD does not name", l.Address))
		}
	}
	return nil
}

func (c *call) checkFailed(cause string) error {
	return &tenant.Error{Code: tenant.CodeCheckFailed, Msg: "CHECK of " + c.request.Env.Subject() + ": " + cause,
		Details: "the pod has to be made anew"}
}

func (c *call) ipamCollect(ctx context.Context) error {
	valid, listed, err := validAttachments(c.request.Config)
	if err != nil || !listed {
		return err
	}
	held, err := c.agent.pools.Holdings(ctx, c.agent.node, c.head.Name)
	if err != nil {
		return err
	}
	var errs []error
	for _, h := range held {
		keep := false
		for _, v := range valid {
			keep = keep || v.ContainerID == h.ContainerID && v.IfName == h.IfName
		}
		if !keep {
			errs = append(errs, c.agent.pools.GiveBack(ctx, h))
		}
	}
	return errors.Join(errs...)
}

func (c *call) ipamStatus(ctx context.Context) error {
	if _, err := parseIPAM(c.request.Config, ""); err != nil {
		return err
	}
	return c.agent.pools.Ping(ctx)
}

// giveBack ends what an attachment holds of pools, if it holds anything.
func (a *Agent) giveBack(ctx context.Context, at ipam.Attachment) error {
	h, err := a.pools.Holding(ctx, at)
	if errors.Is(err, ipam.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.pools.GiveBack(ctx, h)
}

// poolFailure gives an error of a pool its code and says what to do about it.
func poolFailure(subject string, err error) *cniconf.Error {
	e := &cniconf.Error{Msg: fmt.Sprintf("%s: %v", subject, err)}
	var used *ipam.AddressInUseError
	var reserved *ipam.ReservedError
	var config *ipam.ConfigError
	switch {
	case errors.As(err, &reserved):
		e.Code, e.Details = cniconf.Code(tenant.CodeAddressInUse), "ask for another address, or for none, or end the reservation"
	case errors.As(err, &used):
		e.Code, e.Details = cniconf.Code(tenant.CodeAddressInUse), "ask for another address, or for none"
	case errors.As(err, &config):
		e.Code, e.Details = cniconf.CodeConfig, "correct this key of the network configuration"
	case errors.Is(err, ipam.ErrExhausted):
		e.Code, e.Details = cniconf.Code(tenant.CodePoolExhausted), "delete pods that are not needed, or add a range to the pool"
	case errors.Is(err, ipam.ErrInvalid):
		e.Code, e.Details = cniconf.CodeConfig, "ask for an address of the pool's ranges"
	case errors.Is(err, ipam.ErrFull):
		e.Code, e.Details = cniconf.CodeTryAgain, tenant.AdviceFull
	case errors.Is(err, ipam.ErrUnavailable):
		e.Code, e.Details = cniconf.CodeTryAgain, "check that etcd is running and can be reached"
	case errors.Is(err, ipam.ErrCorrupt):
		e.Code, e.Details = cniconf.Code(tenant.CodeStore), "was it written by another version of Moat?"
	default:
		return nil
	}
	return e
}
