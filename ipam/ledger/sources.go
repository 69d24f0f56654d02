package ledger

import (
	"context"
	"fmt"

	"github.com/moatnet/moat/ipam"
)

// source is where subnets of a tenant come from, as one transaction tries it:
// a free slot of a pool, or what the configuration gives the tenant for its own.
type source struct {
	pool  ipam.TenantPool
	slots *search // nil: own subnets
	own   []ipam.Subnet
	// register is what pool and own were found right by; nil for the default
	// pool, which nothing changes.
	register *register
}

// source returns where t's next subnets come from: own ones, or one of t.Pool,
// looked for from the place on that name hashes to.
func (l *Ledger) source(ctx context.Context, plan ipam.Installation, t ipam.Tenant, name string, own []ipam.Subnet) (source, error) {
	s := source{pool: plan.DefaultPool(), own: own}
	if len(own) == 0 && (t.Pool == "" || t.Pool == ipam.DefaultPool) {
		s.slots = newSearch(subnetSlots, "supernet "+plan.Supernet.String(), ipam.KeySupernet, s.pool.Subnets(), name)
		return s, nil
	}
	r, err := l.register(ctx)
	if err != nil {
		return s, err
	}
	s.register = &r
	for _, o := range own {
		if err := r.admits(plan, t, o); err != nil {
			return s, err
		}
	}
	if len(own) > 0 {
		return s, nil
	}
	pool, ok := r.networks.Pool(plan, t.Pool)
	if !ok {
		return s, &ipam.ConfigError{Key: ipam.KeyPools, Value: fmt.Sprintf("%q", t.Pool), Reason: "no such pool is recorded for this installation"}
	}
	s.pool = pool
	s.slots = newSearch(poolSlots(pool.Name), fmt.Sprintf("pool %s, %s,", pool.Name, pool.Supernet),
		ipam.KeyPools+"."+pool.Name, pool.Subnets(), name)
	return s, nil
}

// subnets are what a transaction takes now.
func (s source) subnets(bridge string) []ipam.Subnet {
	if s.slots == nil {
		return s.own
	}
	return []ipam.Subnet{{Prefix: s.pool.Subnet(s.slots.slot), Slot: s.slots.slot, Bridge: bridge}}
}

func (s source) conds() (conds []Cond) {
	if s.slots != nil {
		conds = append(conds, s.slots.cond())
	}
	if s.register != nil {
		conds = append(conds, s.register.unchanged())
	}
	return conds
}

// puts takes the subnets for a tenant.
func (s source) puts(t ipam.Tenant) ([]Op, error) {
	if s.slots == nil {
		return enter(t, s.own)
	}
	op, err := s.slots.take(t)
	return []Op{op}, err
}

// look asks for what learn needs.
func (s source) look() []Op {
	ops := []Op{get(keyRanges)}
	if s.slots != nil {
		ops = append(ops, s.slots.look())
	}
	return ops
}

// learn reads why a transaction was lost, given what look brought. It is false
// when the source has to be asked for anew.
func (s source) learn(l *Ledger, out []Out) (bool, error) {
	if s.register != nil {
		if p, _ := out[0].one(); p.Mod != s.register.rev {
			return false, nil
		}
	}
	if s.slots == nil {
		return true, nil
	}
	return true, s.slots.learn(out[1].Pairs, l.opt.Now(), l.opt.SlotCoolDown)
}
