package agent

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/moatnet/moat/tenant"
)

// requests are the wishes that runtimes may pass for one pod.
type requests struct {
	IPs []string `json:"ips"`
	MAC string   `json:"mac"`

	ipsFrom, macFrom string // who says so, for messages
}

// ofRuntime is what a runtime asks for: by a capability, else by args.cni, else by
// CNI_ARGS (CNI conventions, "Dynamic plugin specific fields").
func ofRuntime(capabilities, arguments requests, args map[string]string) requests {
	r := requests{ipsFrom: "runtimeConfig.ips", macFrom: "runtimeConfig.mac", IPs: capabilities.IPs, MAC: capabilities.MAC}
	if len(r.IPs) == 0 {
		r.IPs, r.ipsFrom = arguments.IPs, "args.cni.ips"
	}
	if len(r.IPs) == 0 {
		r.ipsFrom = "CNI_ARGS IP"
		if args["IP"] != "" {
			r.IPs = strings.Split(args["IP"], ",")
		}
	}
	if r.MAC == "" {
		r.MAC, r.macFrom = arguments.MAC, "args.cni.mac"
	}
	if r.MAC == "" {
		r.MAC, r.macFrom = args["MAC"], "CNI_ARGS MAC"
	}
	return r
}

// addresses are those asked for. Their prefix lengths say nothing, as with
// host-local, but must be such.
func (r requests) addresses() (ips []netip.Addr, err error) {
	for _, s := range r.IPs {
		text, length, has := strings.Cut(strings.TrimSpace(s), "/")
		a, err := netip.ParseAddr(text)
		if err == nil && has {
			_, err = netip.ParsePrefix(text + "/" + length)
		}
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return nil, misasked(r.ipsFrom, s, "an IP address such as 10.0.0.5 or fd00::5, with its subnet's length or without")
		}
		ips = append(ips, a)
	}
	return ips, nil
}

// mac is the one asked for; "": none.
func (r requests) mac() (string, error) {
	if r.MAC == "" {
		return "", nil
	}
	mac, err := net.ParseMAC(r.MAC)
	if err != nil || len(mac) != 6 || mac[0]&1 != 0 || slices.Equal(mac, make(net.HardwareAddr, 6)) {
		return "", misasked(r.macFrom, r.MAC, "a unicast address of six bytes such as 02:00:00:00:00:05")
	}
	return mac.String(), nil
}

// misasked says what is wrong with a wish of the runtime's.
func misasked(from, value, want string) error {
	if key, ofArgs := strings.CutPrefix(from, "CNI_ARGS "); ofArgs {
		return argsError(fmt.Sprintf("%s %.*q is not %s", key, longestQuote, value, want))
	}
	return wrong(from, value, want)
}

// askedGateway is the gateway that CNI_ARGS want, as for the static plugin.
func askedGateway(args map[string]string) (netip.Addr, error) {
	s := args["GATEWAY"]
	if s == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.Is4In6() || !a.IsGlobalUnicast() {
		return a, misasked("CNI_ARGS GATEWAY", s, "an address of a gateway")
	}
	return a, nil
}

// addRequests takes over a requested address, gateway and MAC.
func addRequests(r *tenant.AttachRequest, wishes requests, args map[string]string) error {
	var err error
	if r.IPs, err = wishes.addresses(); err != nil {
		return err
	}
	if len(r.IPs) > 0 {
		r.IPsFrom = wishes.ipsFrom
	}
	if r.Gateway, err = askedGateway(args); err != nil {
		return err
	}
	if r.Gateway.IsValid() {
		r.GatewayFrom = "CNI_ARGS GATEWAY"
	}
	r.MAC, err = wishes.mac()
	return err
}
