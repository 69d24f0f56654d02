package netsource

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
)

// Own is how a source may always call the tenant's own network.
const Own = "moat"

// ownIPAM is Moat's IPAM plugin, which is asked for an address instead of being
// replaced.
const ownIPAM = "moat-ipam"

// Step makes one network of a pod.
type Step struct {
	Entry // its IfName is never ""
	// List is the network configuration list to run; nil: the tenant's own network.
	List json.RawMessage `json:",omitempty"`
	// Leased: the address is asked of Moat's pools, and the gateway by CNI_ARGS.
	Leased bool `json:",omitempty"`
}

// Plan is what to do for entries, in their order. The master's interface is
// called ifName; own is the name of the network configuration that is served,
// which is the tenant's own network, as is Own. All others are in the folder, with
// the entry's address and routes put into their first plugin.
func Plan(entries []Entry, ifName, own string, folder fs.FS) ([]Step, error) {
	steps := make([]Step, 0, len(entries))
	taken := map[string]int{}
	for i, e := range entries {
		if e.Master {
			e.IfName = ifName
		}
		if before, is := taken[e.IfName]; is {
			return nil, refuse("data[%d].ifName %q is that of data[%d] too (the master's is the runtime's, %q)", i, e.IfName, before, ifName)
		}
		taken[e.IfName] = i
		s, err := plan(fmt.Sprintf("data[%d].", i), e, own, folder)
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func plan(at string, e Entry, own string, folder fs.FS) (Step, error) {
	if e.Network == own || e.Network == Own {
		if !e.Master {
			return Step{}, refuse("%stype %q, the tenant's own network, is not master, which it must be: it has the pod's default route", at, e.Network)
		}
		if e.Address.IsValid() && !e.Address.Addr().Is4() {
			return Step{}, wrong(at+"podIp", e.Address, "IPv4, as the tenant's own network is")
		}
		return Step{Entry: e}, nil
	}
	if len(e.Routes) > 0 && !e.Gateway.IsValid() {
		return Step{}, refuse("%sroutes are given without %sgateway, which they go by", at, at)
	}
	c, err := find(folder, e.Network)
	if err != nil {
		return Step{}, err
	}
	if c.plugins[0], err = addressed(c.plugins[0], e, at, c.file); err != nil {
		return Step{}, err
	}
	list, err := c.marshal()
	if err != nil {
		return Step{}, refuse("%stype %q: %s: %v", at, e.Network, c.file, err)
	}
	return Step{Entry: e, List: list, Leased: e.Address.IsValid() && leases(c.plugins[0])}, nil
}

// addressed is a plugin that gives the pod the address of e. Moat's IPAM plugin
// is asked for it, so that nobody else has it; any other is replaced by static.
func addressed(plugin object, e Entry, at, file string) (object, error) {
	if !e.Address.IsValid() {
		return plugin, nil
	}
	before, err := open(plugin["ipam"])
	if err != nil {
		return nil, refuse("%stype %q: %s: ipam: %v", at, e.Network, file, err)
	}
	changed := maps.Clone(plugin)
	if leases(plugin) {
		if len(e.Routes) > 0 {
			return nil, refuse("%sroutes: %s leases by %s, whose own key routes says them", at, file, ownIPAM)
		}
		changed["args"], err = asking(plugin["args"], e.Address)
	} else {
		changed["ipam"], err = static(plugin, before, e)
	}
	if err != nil {
		return nil, refuse("%stype %q: %s: %v", at, e.Network, file, err)
	}
	return changed, nil
}

// leases says whether a plugin has its addresses from Moat's pools.
func leases(plugin object) bool {
	var ipam struct{ Type string }
	return json.Unmarshal(plugin["ipam"], &ipam) == nil && ipam.Type == ownIPAM
}

// asking adds the wish for an address to what is at the key args.
func asking(raw json.RawMessage, p netip.Prefix) (json.RawMessage, error) {
	args, err := open(raw)
	if err != nil {
		return nil, fmt.Errorf("args: %w", err)
	}
	cni, err := open(args["cni"])
	if err != nil {
		return nil, fmt.Errorf("args.cni: %w", err)
	}
	if cni["ips"], err = json.Marshal([]string{p.String()}); err != nil {
		return nil, err
	}
	if args["cni"], err = json.Marshal(cni); err != nil {
		return nil, err
	}
	return json.Marshal(args)
}

// open is the object that raw holds; what is not there is an empty one.
func open(raw json.RawMessage) (object, error) {
	o := object{}
	if raw == nil || string(raw) == "null" {
		return o, nil
	}
	return o, json.Unmarshal(raw, &o)
}

type route struct {
	Dst string `json:"dst"`
	GW  string `json:"gw,omitempty"`
}

// static is the section of the static plugin: the address, the routes of the
// entry, else those of the file, else for the master a default route.
func static(plugin, before object, e Entry) (json.RawMessage, error) {
	address := map[string]string{"address": e.Address.String()}
	if e.Gateway.IsValid() {
		address["gateway"] = e.Gateway.String()
	}
	ipam := map[string]any{"type": "static", "addresses": []any{address}}
	var routes []route
	for _, dst := range e.Routes {
		routes = append(routes, route{dst.String(), e.Gateway.String()})
	}
	everywhere := netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	if e.Address.Addr().Is4() {
		everywhere = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	switch {
	case len(routes) > 0:
		ipam["routes"] = routes
	case before["routes"] != nil:
		ipam["routes"] = before["routes"]
	case plugin["routes"] != nil:
		ipam["routes"] = plugin["routes"]
	case e.Master && e.Gateway.IsValid():
		ipam["routes"] = []route{{everywhere.String(), e.Gateway.String()}}
	}
	if dns := before["dns"]; dns != nil {
		ipam["dns"] = dns
	} else if dns := plugin["dns"]; dns != nil {
		ipam["dns"] = dns
	}
	return json.Marshal(ipam)
}
