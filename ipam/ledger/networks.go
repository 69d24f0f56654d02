package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/ipam"
)

// register is what the store says of ranges: what configurations state, and the
// own subnets that tenants have. Whoever adds to it puts keyRanges and compares
// the revision of it that was read; what is only removed is not told.
type register struct {
	rev      int64 // of keyRanges
	networks ipam.Networks
	own      []ipam.Range
}

// ownValue is one of a tenant's own subnets.
type ownValue struct {
	Prefix  netip.Prefix `json:"prefix"`
	Tenant  string       `json:"tenant"`
	Overlap bool         `json:"overlap,omitempty"`
}

// registerOps read a register; readRegister understands what they bring.
func registerOps() []Op { return []Op{get(keyRanges), get(keyNetworks), list(rangesPrefix)} }

func readRegister(out []Out) (register, error) {
	var r register
	if p, ok := out[0].one(); ok {
		r.rev = p.Mod
	}
	if p, ok := out[1].one(); ok {
		if err := decode(p, &r.networks, &r.networks.Schema); err != nil {
			return r, err
		}
	}
	for _, p := range out[2].Pairs {
		own, err := decodeRange(p)
		if err != nil {
			return r, err
		}
		r.own = append(r.own, own)
	}
	return r, nil
}

func decodeRange(p Pair) (ipam.Range, error) {
	var v ownValue
	if err := json.Unmarshal(p.Value, &v); err != nil {
		return ipam.Range{}, fmt.Errorf("read %s: %w: %w", p.Key, ipam.ErrCorrupt, err)
	}
	return ipam.Range{Prefix: v.Prefix, Tenant: v.Tenant, Overlap: v.Overlap, Key: ipam.KeyOwnSubnets(v.Tenant)}, nil
}

// register reads what is recorded of ranges.
func (l *Ledger) register(ctx context.Context) (register, error) {
	res, err := l.read(ctx, "read the recorded ranges", registerOps()...)
	if err != nil {
		return register{}, err
	}
	return readRegister(res.Out)
}

// unchanged holds while nobody added to the register.
func (r register) unchanged() Cond { return at(keyRanges, r.rev) }

// Networks implements ipam.Store.
func (l *Ledger) Networks(ctx context.Context) (ipam.Networks, error) {
	r, err := l.register(ctx)
	return r.networks, err
}

// StateNetworks implements ipam.Store.
func (l *Ledger) StateNetworks(ctx context.Context, want ipam.Networks) (ipam.Networks, error) {
	plan, err := l.installation()
	if err != nil {
		return want, err
	}
	if err := want.Validate(plan); err != nil {
		return want, err
	}
	want.Schema = ipam.Schema
	for {
		have, err := l.register(ctx)
		if err != nil {
			return want, err
		}
		next, conds, err := l.successor(ctx, have.networks, want)
		if err != nil {
			return want, err
		}
		if err := besideOwn(plan, next, have.own); err != nil {
			return want, err
		}
		value, err := encode(next)
		if err != nil {
			return want, err
		}
		if same, err := encode(have.networks); err != nil || string(same) == string(value) {
			return next, err
		}
		res, err := l.commit(ctx, "record the configured ranges", Txn{
			If:   append(conds, have.unchanged()),
			Then: []Op{put(keyNetworks, value), put(keyRanges, nil)},
		})
		if err != nil || res.OK {
			return next, err
		}
	}
}

// successor is want with the pools that are recorded and in use, and the
// conditions under which the others may go or change.
func (l *Ledger) successor(ctx context.Context, have, want ipam.Networks) (ipam.Networks, []Cond, error) {
	next := want
	next.Pools = slices.Clone(want.Pools)
	var conds []Cond
	for _, old := range have.Pools {
		i := slices.IndexFunc(want.Pools, func(p ipam.TenantPool) bool { return p.Name == old.Name })
		if i >= 0 && want.Pools[i] == old {
			continue
		}
		slots := poolSlots(old.Name)
		res, err := l.read(ctx, "look for subnets of pool "+old.Name, Op{Kind: OpGet, Key: slots, End: after(slots), Limit: 1})
		if err != nil {
			return next, nil, err
		}
		_, used := res.Out[0].one()
		switch {
		case !used:
			conds = append(conds, noneUnder(slots))
		case i < 0:
			next.Pools = append(next.Pools, old)
		default:
			return next, nil, &ipam.ConfigError{Key: fmt.Sprintf("%s[%d]", ipam.KeyPools, i),
				Value:  fmt.Sprintf("%s, %s in /%d", old.Name, want.Pools[i].Supernet, want.Pools[i].SubnetLength),
				Reason: fmt.Sprintf("tenants have had subnets of it as %s in /%d, so it cannot be changed; add a pool of another name", old.Supernet, old.SubnetLength)}
		}
	}
	return next, conds, nil
}

// besideOwn checks next, by itself and against own subnets that are in use.
func besideOwn(plan ipam.Installation, next ipam.Networks, own []ipam.Range) error {
	if err := next.Validate(plan); err != nil {
		return err
	}
	for _, o := range own {
		for _, r := range next.Ranges(plan) {
			if err := r.Beside(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// admits returns a *ConfigError when a tenant may not have s for its own.
func (r register) admits(plan ipam.Installation, t ipam.Tenant, s ipam.Subnet) error {
	mine := ipam.Range{Prefix: s.Prefix, Key: ipam.KeyOwnSubnets(t.Name), Tenant: t.Name, Overlap: t.Overlap}
	for _, o := range append(r.networks.Fixed(plan), r.own...) {
		if err := mine.Conflict(o); err != nil {
			return err
		}
	}
	return nil
}

// enter puts a tenant's own subnets into the register.
func enter(t ipam.Tenant, subnets []ipam.Subnet) ([]Op, error) {
	ops := []Op{put(keyRanges, nil)}
	for _, s := range subnets {
		v, err := encode(ownValue{Prefix: s.Prefix, Tenant: t.Name, Overlap: t.Overlap})
		if err != nil {
			return nil, err
		}
		ops = append(ops, put(rangesOf(t.Name)+sortable(s.Prefix.Addr()), v))
	}
	return ops, nil
}
