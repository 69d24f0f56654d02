package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/moatnet/moat/netns"
	"github.com/moatnet/moat/tenant"
)

func prefixes(ps ...netip.Prefix) []netip.Prefix { return ps }

// pods makes the veth pairs that package tenant asks for.
type pods struct{}

var _ tenant.Pods = pods{}

func (pods) Make(ctx context.Context, w tenant.PodWire) (tenant.PodMade, error) {
	v, err := veth(w)
	if err != nil {
		return tenant.PodMade{}, err
	}
	made, err := netns.Make(ctx, v)
	if err != nil {
		return tenant.PodMade{}, coded(w, err)
	}
	return tenant.PodMade{HostMAC: made.HostMAC.String(), PodMAC: made.PodMAC.String()}, nil
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
		PodNS: w.PodNS, PodName: w.PodName, MTU: w.MTU, Addresses: w.Addresses, Gateway: w.Gateway,
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
func coded(w tenant.PodWire, err error) error {
	switch {
	case errors.Is(err, netns.ErrInterfaceExists):
		return &tenant.Error{Code: tenant.CodeInterfaceUsed, Msg: fmt.Sprintf("interface %s: %v", w.PodName, err),
			Details: "another plugin made it, or CNI_IFNAME is used twice for this pod", Err: err}
	case errors.Is(err, netns.ErrNoNamespace):
		return &tenant.Error{Code: tenant.CodeNetns, Msg: err.Error(), Details: "the pod's sandbox is gone, or CNI_NETNS names no network namespace", Err: err}
	}
	return err
}
