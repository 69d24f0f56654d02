package agent

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/holdings"
	"github.com/moatnet/moat/cmd/moat/internal/wishes"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/tenant"
)

// Cluster knows the pods of this node, with their annotations.
type Cluster interface {
	// Pod returns a pod that the runtime knows by uid ("" where it knows none).
	// Every error is passing: the call may be tried again.
	Pod(ctx context.Context, namespace, name, uid string) (wishes.Pod, error)
	holdings.Cluster
}

// wishes reads what the pod's annotations say of the call's interface. A pod that
// is not Kubernetes' has none. There is no way on when they cannot be read: a pod
// with a fixed address must not get another one.
func (c *call) wishes(ctx context.Context, args map[string]string) (wishes.Wishes, error) {
	known := c.known
	if known == nil {
		known = c.ask(ctx, args)
	}
	pod, err := known.pod, known.err
	switch {
	case !known.asked:
		return wishes.Wishes{}, nil
	case err != nil:
		return wishes.Wishes{}, &cniconf.Error{Code: cniconf.CodeTryAgain,
			Msg:     fmt.Sprintf("%s: read the pod's annotations: %v", c.request.Env.Subject(), err),
			Details: "the address that the pod wants is not known without them; check the API server and the configuration key kubernetes"}
	}
	w, err := wishes.Read(pod, c.request.Env.IfName, c.agent.stickyFor)
	if err != nil {
		return w, c.annotationError(err)
	}
	return w, nil
}

// kubernetesPod is what the API server said of a call's pod.
type kubernetesPod struct {
	asked bool // it is one
	pod   wishes.Pod
	err   error
}

// ask asks for the call's pod.
func (c *call) ask(ctx context.Context, args map[string]string) *kubernetesPod {
	namespace, name := args["K8S_POD_NAMESPACE"], args["K8S_POD_NAME"]
	if c.agent.cluster == nil || namespace == "" || name == "" {
		return &kubernetesPod{}
	}
	pod, err := c.agent.cluster.Pod(ctx, namespace, name, args["K8S_POD_UID"])
	return &kubernetesPod{true, pod, err}
}

func (c *call) annotationError(err error) error {
	return &cniconf.Error{Code: cniconf.CodeConfig, Msg: fmt.Sprintf("%s: %v", c.request.Env.Subject(), err),
		Details: "correct the annotation where the pod is made, or the one of its namespace"}
}

// grant adds to a request what the pod's annotations want and the runtime does
// not say, and decides which DNS the result has: the pod's, the tenant's, or the
// network's.
func (c *call) grant(ctx context.Context, conf *Config, r *tenant.AttachRequest) error {
	w, err := c.wishes(ctx, cniconf.Args(c.request.Env.Args))
	if err != nil {
		return err
	}
	if len(r.IPs) == 0 {
		for _, a := range w.Addresses {
			r.IPs, r.SubnetBits = append(r.IPs, a.Addr), a.Bits
		}
		r.IPsFrom = annotation(w.AddressesFrom)
	}
	if !r.Gateway.IsValid() {
		r.Gateway, r.GatewayFrom = w.Gateway, annotation(w.GatewayFrom)
	}
	if r.MAC == "" {
		r.MAC = w.MAC
	}
	r.Sticky = w.Sticky
	network := func() (*dns, error) { return resolver("", conf.DNS, conf.ResolvConf) }
	conf.DNS, err = c.resolver(w, r.Tenant, network)
	return err
}

func annotation(key string) string {
	if key == "" {
		return ""
	}
	return "annotation " + key
}

// grantPool is grant for addresses of a pool.
func (c *call) grantPool(ctx context.Context, conf *ipamCall) (wishes.Wishes, error) {
	w, err := c.wishes(ctx, conf.args)
	if err != nil {
		return w, err
	}
	if w.MAC != "" {
		return w, c.annotationError(fmt.Errorf("%s wants the MAC %s, which an IPAM plugin cannot give; "+
			`ask the main plugin for it, by the capability "mac"`, annotation(w.MACFrom), w.MAC))
	}
	if len(conf.wish.Asked) > 0 {
		w.Addresses = nil
		for _, a := range conf.wish.Asked {
			w.Addresses = append(w.Addresses, wishes.Address{Addr: a})
		}
	} else {
		for _, a := range w.Addresses {
			conf.wish.Asked = append(conf.wish.Asked, a.Addr)
		}
		conf.askedFrom = annotation(w.AddressesFrom)
	}
	if conf.gateway.IsValid() {
		w.Gateway, w.GatewayFrom = conf.gateway, ""
	}
	of, err := c.tenantOf(Config{}, conf.args)
	if err != nil {
		return w, err
	}
	conf.dns, err = c.resolver(w, of, func() (*dns, error) { return conf.dns, nil })
	return w, err
}

// settle compares what a pool gave with what was wished, by from, and puts the
// wished gateway into it.
func (c *call) settle(w wishes.Wishes, from string, h ipam.Holding) (ipam.Holding, error) {
	for _, want := range w.Addresses {
		if err := c.given(want, from, h); err != nil {
			return h, err
		}
	}
	if !w.Gateway.IsValid() {
		return h, nil
	}
	found := false
	for i, l := range h.Leases {
		if !l.Address.Contains(w.Gateway) {
			continue
		}
		if l.Address.Addr() == w.Gateway || w.Gateway == l.Address.Masked().Addr() {
			return h, c.unfit(annotation(w.GatewayFrom), "gateway "+w.Gateway.String(),
				fmt.Sprintf("is the pod's own address, or that of its subnet %s", l.Address.Masked()))
		}
		h.Leases[i].Gateway, found = w.Gateway, true
	}
	if !found {
		return h, c.unfit(annotation(w.GatewayFrom), "gateway "+w.Gateway.String(), "is in no subnet of the pod: "+leases(h))
	}
	return h, nil
}

func (c *call) given(want wishes.Address, from string, h ipam.Holding) error {
	for _, l := range h.Leases {
		switch {
		case l.Address.Addr() != want.Addr:
		case want.Bits != 0 && want.Bits != l.Address.Bits():
			return c.unfit(from, fmt.Sprintf("address %s/%d", want.Addr, want.Bits), "lies in the subnet "+l.Address.Masked().String())
		default:
			return nil
		}
	}
	return c.unfit(from, "address "+want.String(), "was not given: the pod holds "+leases(h))
}

func (c *call) unfit(from, what, why string) error {
	if from != "" {
		from += ": "
	}
	return &cniconf.Error{Code: cniconf.CodeConfig, Msg: fmt.Sprintf("%s: %srequested %s %s", c.request.Env.Subject(), from, what, why),
		Details: "ask for what the pool's subnets have, or for nothing"}
}

func leases(h ipam.Holding) string {
	var all []netip.Prefix
	for _, l := range h.Leases {
		all = append(all, l.Address)
	}
	return fmt.Sprint(all)
}
