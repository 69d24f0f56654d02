package dataplane

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane/rtnl"
)

// Bits of sdn.HostInterface.Status.
const (
	statusUp   = 1
	statusLink = 2
)

// reportHost says which interfaces and addresses the host has.
func (e *Engine) reportHost() error {
	host, err := e.kernel.Open("")
	if err != nil {
		return err
	}
	defer host.Close()
	links, err := host.Links()
	if err != nil {
		return err
	}
	found, err := host.Addresses()
	if err != nil {
		return err
	}
	var all []netip.Addr
	var ifaces []sdn.HostInterface
	for _, l := range links {
		i := hostInterface(l)
		for _, a := range found {
			if a.Index == l.Index {
				i.Addresses = append(i.Addresses, a.Prefix.Addr())
			}
		}
		slices.SortFunc(i.Addresses, netip.Addr.Compare)
		if l.Name != "lo" {
			all = append(all, i.Addresses...)
		}
		ifaces = append(ifaces, i)
	}
	e.cfg.Reports.SetInterfaces(e.cfg.Plan.Host, all, ifaces)
	return nil
}

// hostInterface describes a link in the API's words.
func hostInterface(l rtnl.Link) sdn.HostInterface {
	i := sdn.HostInterface{Name: l.Name, MAC: l.MAC, MTU: l.MTU, Type: "Physical", Endpoint: "PHYSICAL"}
	switch {
	case l.Name == "lo":
		i.Type, i.Endpoint = "Virtual", "LOCALHOST"
	case l.Kind == "tun":
		i.Type, i.Endpoint = "Virtual", "TUNTAP"
	case l.Kind != "":
		i.Type, i.Endpoint = "Virtual", "UNKNOWN"
	}
	if l.Up {
		i.Status |= statusUp
	}
	if l.Lower {
		i.Status |= statusLink
	}
	return i
}

// String says what was written, for logs.
func (r Report) String() string {
	return fmt.Sprintf("namespaces %d, sysctls %d, links %d, addresses %d, routes %d, neighbours %d, nftables messages %d",
		r.Namespaces, r.Sysctls, r.Links, r.Addresses, r.Routes, r.Neighbours, r.Tables)
}
