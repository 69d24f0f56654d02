package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/netns"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/tenant"
)

func prefixes(ps ...netip.Prefix) []netip.Prefix { return ps }

// pods makes the veth pairs that package tenant asks for.
type pods struct{}

var _ tenant.Pods = pods{}

func (pods) Prepare(ctx context.Context, w tenant.PodWire) (tenant.Prepared, error) {
	w.Addresses, w.Gateway, w.Routes = nil, netip.Addr{}, nil
	v, err := veth(w)
	if err != nil {
		return nil, err
	}
	pair, err := netns.Prepare(ctx, v)
	if err != nil {
		return nil, coded(err)
	}
	return prepared{pair}, nil
}

// prepared is a pair that waits for its address.
type prepared struct{ pair *netns.Pair }

func (p prepared) Finish(ctx context.Context, w tenant.PodWire) (tenant.PodMade, error) {
	v, err := veth(w)
	if err != nil {
		return tenant.PodMade{}, errors.Join(err, p.pair.Abandon(ctx))
	}
	return answer(w)(p.pair.Finish(ctx, v))
}

func (p prepared) Abandon(ctx context.Context) error { return p.pair.Abandon(ctx) }

func (pods) Make(ctx context.Context, w tenant.PodWire) (tenant.PodMade, error) {
	v, err := veth(w)
	if err != nil {
		return tenant.PodMade{}, err
	}
	return answer(w)(netns.Make(ctx, v))
}

// answer puts what was made, or not, in the words of package tenant.
func answer(w tenant.PodWire) func(netns.Made, error) (tenant.PodMade, error) {
	return func(made netns.Made, err error) (tenant.PodMade, error) {
		if err != nil {
			return tenant.PodMade{}, coded(err)
		}
		return tenant.PodMade{HostMAC: made.HostMAC.String(), PodMAC: made.PodMAC.String()}, nil
	}
}

func (pods) Configure(ctx context.Context, w tenant.PodWire) error {
	v, err := veth(w)
	if err != nil {
		return err
	}
	if err := netns.Configure(ctx, v); err != nil {
		return coded(err)
	}
	return nil
}

func (pods) Remove(ctx context.Context, w tenant.PodWire) error {
	return netns.Remove(ctx, w.HostNS, w.HostName, w.HostAlias)
}

func (pods) Check(ctx context.Context, w tenant.PodWire) error {
	v, err := veth(w)
	if err != nil {
		return err
	}
	return netns.Check(ctx, v)
}

func veth(w tenant.PodWire) (netns.Veth, error) {
	v := netns.Veth{
		HostNS: w.HostNS, Master: w.Master, HostName: w.HostName, HostAlias: w.HostAlias,
		PodNS: w.PodNS, PodName: w.PodName, MTU: w.MTU, Addresses: w.Addresses, Gateway: w.Gateway, Ready: w.Ready,
	}
	for _, r := range w.Routes {
		if r.Bits() > 0 { // the default route is always made
			v.Routes = append(v.Routes, r)
		}
	}
	for text, to := range map[string]*net.HardwareAddr{w.PodMAC: &v.PodMAC, w.HostMAC: &v.HostMAC} {
		if text == "" {
			continue
		}
		mac, err := net.ParseMAC(text)
		if err != nil {
			return v, fmt.Errorf("interface %s: %w", w.PodName, err)
		}
		*to = mac
	}
	return v, nil
}

// coded gives the errors that are the caller's affair their CNI codes.
func coded(err error) error {
	switch {
	case errors.Is(err, netns.ErrInterfaceExists):
		return &tenant.Error{Code: tenant.CodeInterfaceUsed, Msg: err.Error(),
			Details: "another plugin made it, or CNI_IFNAME is used twice for this pod", Err: err}
	case errors.Is(err, netns.ErrRouteExists):
		return &tenant.Error{Code: tenant.CodeIO, Msg: err.Error(),
			Details: "the pod has this route by way of another interface: let the network that made it make none (the pod's default route is Moat's)", Err: err}
	case errors.Is(err, netns.ErrNoNamespace):
		return &tenant.Error{Code: tenant.CodeNetns, Msg: err.Error(), Details: "the pod's sandbox is gone, or CNI_NETNS names no network namespace", Err: err}
	case errors.Is(err, unix.ENODEV): // the bridge of the pair, or its end in it
		return &tenant.Error{Code: tenant.CodeTryAgain, Msg: err.Error(),
			Details: "the tenant's bridge is being made or removed at this moment; the runtime may try again", Err: fmt.Errorf("%w: %w", sdn.ErrNotFound, err)}
	}
	return err
}
