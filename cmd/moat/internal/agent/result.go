package agent

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/types/create"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/tenant"
)

// printResult is what ADD prints: the host end, then the pod's, after what an
// earlier plugin of the chain has made, in the version of the configuration.
func printResult(conf Config, e cniconf.Env, got tenant.Attached) ([]byte, error) {
	result := &types100.Result{CNIVersion: types100.ImplementedSpecVersion}
	if conf.PrevResult != nil {
		var err error
		if result, err = readResult(conf); err != nil {
			return nil, err
		}
	}
	pod := len(result.Interfaces) + 1
	result.Interfaces = append(result.Interfaces,
		&types100.Interface{Name: got.Host.Name, Mac: got.Host.MAC, Mtu: got.Host.MTU, Sandbox: got.Host.Sandbox},
		&types100.Interface{Name: got.Pod.Name, Mac: got.Pod.MAC, Mtu: got.Pod.MTU, Sandbox: e.Netns})
	for _, p := range got.Addresses {
		ip := &types100.IPConfig{Interface: &pod, Address: ipNet(p)}
		if got.Gateway.IsValid() && got.Gateway.Is4() == p.Addr().Is4() {
			ip.Gateway = got.Gateway.AsSlice()
		}
		result.IPs = append(result.IPs, ip)
	}
	for _, dst := range got.Routes {
		result.Routes = append(result.Routes, &types.Route{Dst: ipNet(dst), GW: got.Gateway.AsSlice()})
	}
	if conf.DNS != nil {
		result.DNS = *conf.DNS
	}
	asked, err := result.GetAsVersion(conf.CNIVersion)
	if err != nil {
		return nil, fmt.Errorf("result in version %s: %w", conf.CNIVersion, err)
	}
	out, err := json.Marshal(asked)
	if err != nil {
		return nil, fmt.Errorf("print result: %w", err)
	}
	return append(out, '\n'), nil
}

func ipNet(p netip.Prefix) net.IPNet {
	return net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// sound refuses what reads as a result and is none: null in its lists, and an address
// of an interface that it does not list.
func sound(result []byte) error {
	type list []*struct{}
	var r struct {
		Interfaces, Routes list
		IPs                []*struct{ Interface *int }
		IP4, IP6           struct{ Routes list } // before version 0.3.0
	}
	if json.Unmarshal(result, &r) != nil {
		return nil // who reads all of it says what is wrong
	}
	for key, l := range map[string]list{"interfaces": r.Interfaces, "routes": r.Routes, "ip4.routes": r.IP4.Routes, "ip6.routes": r.IP6.Routes} {
		if at := slices.Index(l, nil); at >= 0 {
			return fmt.Errorf("%s[%d] is null", key, at)
		}
	}
	for at, ip := range r.IPs {
		switch {
		case ip == nil:
			return fmt.Errorf("ips[%d] is null", at)
		case ip.Interface != nil && len(r.Interfaces) > 0 && (*ip.Interface < 0 || *ip.Interface >= len(r.Interfaces)):
			return fmt.Errorf("ips[%d].interface is %d, there are %d interfaces", at, *ip.Interface, len(r.Interfaces))
		}
	}
	return nil
}

// readResult reads prevResult, whose version is the configuration's.
func readResult(conf Config) (*types100.Result, error) {
	if err := sound(conf.PrevResult); err != nil {
		return nil, prevResultError(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(conf.PrevResult, &fields); err != nil {
		return nil, prevResultError(err)
	}
	fields["cniVersion"] = fmt.Appendf(nil, "%q", conf.CNIVersion)
	b, err := json.Marshal(fields)
	if err != nil {
		return nil, prevResultError(err)
	}
	result, err := create.Create(conf.CNIVersion, b)
	if err != nil {
		return nil, prevResultError(err)
	}
	current, err := types100.NewResultFromResult(result)
	if err != nil {
		return nil, prevResultError(err)
	}
	return current, nil
}

func prevResultError(err error) error {
	return &cniconf.Error{Code: cniconf.CodeDecode, Msg: fmt.Sprintf("prevResult: %v", err),
		Details: "it must be a result of the version that the configuration names"}
}

// remembered is what the runtime remembers of the result of ADD; later plugins
// may have changed MAC and MTU in it.
func remembered(conf Config, e cniconf.Env) (tenant.Attached, error) {
	if conf.PrevResult == nil {
		return tenant.Attached{}, &cniconf.Error{Code: cniconf.CodeConfig, Msg: "CHECK of " + e.ContainerID + ": no prevResult",
			Details: "CHECK needs the result of ADD"}
	}
	result, err := readResult(conf)
	if err != nil {
		return tenant.Attached{}, err
	}
	pod := -1
	for i, l := range result.Interfaces {
		if l.Name == e.IfName && l.Sandbox == e.Netns {
			pod = i
		}
	}
	if pod < 1 {
		return tenant.Attached{}, &cniconf.Error{Code: cniconf.CodeConfig,
			Msg:     fmt.Sprintf("%s: prevResult has no pair of a host end and %s in %s", e.Subject(), e.IfName, e.Netns),
			Details: "CHECK needs the result of ADD"}
	}
	want := tenant.Attached{Host: end(result.Interfaces[pod-1]), Pod: end(result.Interfaces[pod])}
	for _, ip := range result.IPs {
		if ip.Interface == nil || *ip.Interface != pod {
			continue
		}
		want.Addresses = append(want.Addresses, prefix(ip.Address))
		if gateway, ok := netip.AddrFromSlice(ip.Gateway); ok {
			want.Gateway = gateway.Unmap()
		}
	}
	for _, r := range result.Routes {
		if gateway, _ := netip.AddrFromSlice(r.GW); gateway.Unmap() == want.Gateway {
			want.Routes = append(want.Routes, prefix(r.Dst))
		}
	}
	return want, nil
}

func end(l *types100.Interface) tenant.Interface {
	return tenant.Interface{Name: l.Name, MAC: l.Mac, MTU: l.Mtu, Sandbox: l.Sandbox}
}

func prefix(n net.IPNet) netip.Prefix {
	a, _ := netip.AddrFromSlice(n.IP)
	bits, of := n.Mask.Size()
	if a = a.Unmap(); a.Is4() && of == 128 { // written as ::ffff:10.0.0.5/120
		bits -= 96
	}
	return netip.PrefixFrom(a, bits)
}
