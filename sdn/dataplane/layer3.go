package dataplane

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/plan"
)

// addresses gives the interfaces of Moat's their addresses and no others.
func (j *job) addresses() error {
	var batch []rtnl.Request
	want := make(map[plan.Address]bool, len(j.want.Addresses))
	for _, a := range j.want.Addresses {
		want[a] = true
		l, ok := j.space.seen.links[a.Dev]
		if !ok || j.space.seen.addresses[a] {
			continue
		}
		r, err := rtnl.AddAddress(rtnl.Address{Index: l.Index, Prefix: a.Prefix})
		if err != nil {
			return err
		}
		batch = append(batch, r)
		j.space.seen.addresses[a] = true
	}
	for a := range j.space.seen.addresses {
		l := j.space.seen.links[a.Dev]
		if want[a] || a.Dev == "lo" || !j.stamped(l.Alias) {
			continue
		}
		r, err := rtnl.DelAddress(rtnl.Address{Index: l.Index, Prefix: a.Prefix})
		if err != nil {
			return err
		}
		batch = append(batch, r)
		delete(j.space.seen.addresses, a)
	}
	j.report.Addresses += len(batch)
	return j.space.open.Write(batch)
}

// routing makes the routes whose interfaces are there and up and the policy
// rules, and removes the others of Moat's. A rule is there only while its table
// is whole.
func (j *job) routing() error {
	fresh, stale, err := j.rules()
	if err != nil {
		return err
	}
	routes, err := j.routes()
	if err != nil {
		return err
	}
	batch := slices.Concat(stale, routes, fresh)
	j.report.Routes += len(batch)
	return j.space.open.Write(batch)
}

// rules are the changes of the policy rules: those that are missing, and those
// that are wanted no more.
func (j *job) rules() (fresh, stale []rtnl.Request, err error) {
	want := make(map[plan.PolicyRule]bool, len(j.want.Rules))
	for _, r := range j.want.Rules {
		want[r] = true
		if j.space.seen.rules[r] {
			continue
		}
		q, err := rtnl.AddRule(kernelRule(r))
		if err != nil {
			return nil, nil, err
		}
		fresh = append(fresh, q)
		j.space.seen.rules[r] = true
	}
	for r := range j.space.seen.rules {
		if want[r] {
			continue
		}
		q, err := rtnl.DelRule(kernelRule(r))
		if err != nil {
			return nil, nil, err
		}
		stale = append(stale, q)
		delete(j.space.seen.rules, r)
	}
	return fresh, stale, nil
}

func kernelRule(r plan.PolicyRule) rtnl.Rule {
	return rtnl.Rule{Src: r.Src, Table: r.Table, Priority: r.Priority, Protocol: plan.RouteProtocol}
}

// ownRules are the rules of Moat's.
func ownRules(rules []rtnl.Rule) map[plan.PolicyRule]bool {
	out := make(map[plan.PolicyRule]bool)
	for _, r := range rules {
		if r.Protocol == plan.RouteProtocol {
			out[plan.PolicyRule{Src: r.Src, Table: r.Table, Priority: r.Priority}] = true
		}
	}
	return out
}

// routes are the changes of the routes.
func (j *job) routes() ([]rtnl.Request, error) {
	var batch []rtnl.Request
	want := make(map[plan.Key]bool, len(j.want.Routes))
	for _, r := range j.want.Routes {
		r, ok := j.passable(r)
		if !ok {
			continue
		}
		want[r.Key()] = true
		cur, known := j.space.seen.routes[r.Key()]
		if known && cur.Equal(r) {
			continue
		}
		put := rtnl.ReplaceRoute
		if j.space.name == "" && !known { // it might be the host's
			put = rtnl.AddRoute
		}
		q, err := put(j.kernelRoute(r))
		if err != nil {
			return nil, err
		}
		batch = append(batch, q)
		j.space.seen.routes[r.Key()] = r
	}
	for k, r := range j.space.seen.routes {
		if want[k] {
			continue
		}
		q, err := rtnl.DelRoute(j.kernelRoute(r))
		if err != nil {
			return nil, err
		}
		batch = append(batch, q)
		delete(j.space.seen.routes, k)
	}
	return batch, nil
}

// passable is the route without the hops whose interface is missing or down;
// false when none is left.
func (j *job) passable(r plan.Route) (plan.Route, bool) {
	if len(r.Hops) == 0 {
		return r, true
	}
	r.Hops = slices.DeleteFunc(slices.Clone(r.Hops), func(h plan.Hop) bool {
		l, ok := j.space.seen.links[h.Dev]
		return !ok || !l.Up
	})
	return r, len(r.Hops) > 0
}

// routeTypes maps types to the kernel's numbers.
var routeTypes = map[plan.RouteType]uint8{
	plan.Unicast: unix.RTN_UNICAST, plan.Local: unix.RTN_LOCAL,
	plan.Blackhole: unix.RTN_BLACKHOLE, plan.Prohibit: unix.RTN_PROHIBIT,
}

func (j *job) kernelRoute(r plan.Route) rtnl.Route {
	out := rtnl.Route{Table: r.Table, Type: routeTypes[r.Type], Protocol: plan.RouteProtocol, Dst: r.Dst, Metric: r.Metric}
	for _, h := range r.Hops {
		out.Hops = append(out.Hops, rtnl.Hop{Index: j.space.seen.links[h.Dev].Index, Via: h.Via})
	}
	return out
}

// ownRoutes are the routes of Moat's: by their protocol, and on the host by their
// interface too.
func ownRoutes(routes []rtnl.Route, names map[int]string, own func(dev string) bool) map[plan.Key]plan.Route {
	out := make(map[plan.Key]plan.Route)
	for _, r := range routes {
		o, err := readRoute(r, names)
		mine := r.Protocol == plan.RouteProtocol && err == nil
		for _, h := range o.Hops {
			mine = mine && own(h.Dev)
		}
		if mine {
			out[o.Key()] = o
		}
	}
	return out
}

func readRoute(r rtnl.Route, names map[int]string) (plan.Route, error) {
	o := plan.Route{Table: r.Table, Dst: r.Dst, Metric: r.Metric}
	for t, n := range routeTypes {
		if n == r.Type {
			o.Type = t
		}
	}
	if o.Type == "" {
		return o, errors.New("not a type that Moat makes")
	}
	for _, h := range r.Hops {
		if !h.Dead {
			o.Hops = append(o.Hops, plan.Hop{Via: h.Via, Dev: names[h.Index]})
		}
	}
	n := plan.Namespace{Routes: []plan.Route{o}}
	n.Sort()
	return o, nil
}
