package dataplane

import (
	"maps"
	"strings"

	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/nft"
	"github.com/moatnet/moat/sdn/plan"
)

// picture is what a namespace holds, as it was last observed or written.
type picture struct {
	links     map[string]rtnl.Link
	addresses map[plan.Address]bool
	routes    map[plan.Key]plan.Route
	rules     map[plan.PolicyRule]bool
	fixed     fixed
	sysctls   map[string]string
	tables    []nft.Table
}

// forget drops an interface and what the kernel removes with it.
func (p *picture) forget(name string) {
	delete(p.links, name)
	maps.DeleteFunc(p.addresses, func(a plan.Address, _ bool) bool { return a.Dev == name })
	maps.DeleteFunc(p.sysctls, func(key, _ string) bool { return strings.Contains(key, "/conf/"+name+"/") })
	p.dropRoutes(name)
	p.fixed.dropNeighbours(name)
	p.fixed.dropStations(name)
}

// renew takes note of how an interface is now, and of what the kernel dropped
// when it changed.
func (p *picture) renew(was, now rtnl.Link) {
	if was.Up && !now.Up {
		p.dropRoutes(now.Name)
	}
	if was.Up && !now.Up || was.NoARP != now.NoARP || was.MAC != now.MAC {
		p.fixed.dropNeighbours(now.Name)
	}
	if was.Master != now.Master {
		p.fixed.dropStations(now.Name)
	}
	p.links[now.Name] = now
}

// dropRoutes forgets the routes by way of an interface that went down.
func (p *picture) dropRoutes(name string) {
	maps.DeleteFunc(p.routes, func(_ plan.Key, r plan.Route) bool {
		for _, h := range r.Hops {
			if h.Dev == name {
				return true
			}
		}
		return false
	})
}
