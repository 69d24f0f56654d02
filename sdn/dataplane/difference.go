package dataplane

import (
	"fmt"

	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/plan"
)

// difference is what has to be set of an interface. A stranger's is an error.
func (j *job) difference(want plan.Link, cur rtnl.Link) (rtnl.LinkChange, error) {
	c := rtnl.LinkChange{Name: want.Name}
	alias, err := j.alias(want, cur)
	if err != nil {
		return c, err
	}
	differ(&c.Alias, cur.Alias, alias)
	if want.Kind == plan.LoopbackLink {
		return c, nil
	}
	if want.MAC != "" {
		differ(&c.MAC, cur.MAC, want.MAC)
	}
	if want.MTU != 0 {
		differ(&c.MTU, cur.MTU, want.MTU)
	}
	differ(&c.Up, cur.Up, want.Up)
	differ(&c.NoARP, cur.NoARP, want.NoARP)
	differ(&c.AnswerARP, cur.AnswerARP, want.AnswerARP)
	differ(&c.Unlearned, cur.Unlearned, want.Kind == plan.BridgeLink)
	master := 0
	if want.Master != "" {
		b, ok := j.space.seen.links[want.Master]
		if !ok {
			return c, fmt.Errorf("link %s: its bridge %s is not there", want.Name, want.Master)
		}
		master = b.Index
	}
	differ(&c.Master, cur.Master, master)
	switch {
	case master == 0: // no port, no option
		c.AnswerARP = nil
	case c.Master != nil: // a port that joins has none set
		differ(&c.AnswerARP, false, want.AnswerARP)
	}
	return c, nil
}

// alias is the stamp that an interface shall carry.
func (j *job) alias(want plan.Link, cur rtnl.Link) (string, error) {
	if want.Kind == plan.BoundLink {
		switch {
		case j.ownPort(cur.Alias, want.Port):
			return cur.Alias, nil
		case want.Alias == j.cfg.Plan.PortStamp(want.Port) && j.portName(want):
			return want.Alias, nil
		}
		return j.cfg.Plan.GuestStamp(want.Port), nil
	}
	if cur.Alias != "" && cur.Alias != want.Alias && !j.stamped(cur.Alias) {
		return "", fmt.Errorf("link %s belongs to someone else, alias %q", want.Name, cur.Alias)
	}
	return want.Alias, nil
}

func differ[T comparable](field **T, cur, want T) {
	if cur != want {
		*field = &want
	}
}
