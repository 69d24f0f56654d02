package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/ipam"
)

// Repair implements ipam.Auditable.
func (l *Ledger) Repair(ctx context.Context, f ipam.Fix) error {
	what := fmt.Sprintf("%s %s of %s", f.Kind, f.Held.Address, f.Held.Scope)
	var t Txn
	var err error
	switch f.Kind {
	case ipam.FreeAddress:
		t, err = l.freeing(ctx, f)
	case ipam.HoldAddress:
		t, err = l.holding(ctx, f)
	case ipam.DropUnreadable:
		what = fmt.Sprintf("%s %s", f.Kind, f.Unreadable.Key)
		t, err = l.dropping(ctx, f)
	default:
		err = fmt.Errorf("no such repair: %w", ipam.ErrInvalid)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	res, err := l.commit(ctx, what, t)
	if err == nil && !res.OK {
		err = fmt.Errorf("%s: it changed meanwhile: %w", what, ipam.ErrStale)
	}
	return err
}

// freeing frees an address that no record has. While it is held by nobody no
// record comes that names it, so that those there are can be looked at one by one.
func (l *Ledger) freeing(ctx context.Context, f ipam.Fix) (Txn, error) {
	cond, err := l.dangling(ctx, f.Held)
	if err != nil {
		return Txn{}, err
	}
	if err := l.unnamed(ctx, f.Held); err != nil {
		return Txn{}, err
	}
	v, err := encode(freedValue{l.opt.Now().UTC()})
	h := f.Held
	return Txn{If: cond, Then: []Op{del(heldKey(h.Scope, h.Address)), put(freedKey(h.Scope, h.Address), v)}}, err
}

// holding has an address held by a record that names it.
func (l *Ledger) holding(ctx context.Context, f ipam.Fix) (Txn, error) {
	h := f.Held
	cond := []Cond{absent(heldKey(h.Scope, h.Address))}
	var err error
	if h.Revision != 0 {
		if cond, err = l.dangling(ctx, h); err != nil {
			return Txn{}, err
		}
	}
	key, err := refKey(h.Scope, h.Address, f.By)
	if err != nil {
		return Txn{}, err
	}
	res, err := l.read(ctx, "read "+key, get(key))
	if err != nil {
		return Txn{}, err
	}
	p, ok := res.Out[0].one()
	if !ok || p.Mod != f.ByRevision {
		return Txn{}, fmt.Errorf("%s changed meanwhile: %w", key, ipam.ErrStale)
	}
	if has, err := names(p, h.Scope, h.Address); err != nil || !has {
		return Txn{}, fmt.Errorf("%s does not name the address: %w", key, ipam.ErrInvalid)
	}
	return Txn{If: append(cond, at(key, p.Mod)),
		Then: []Op{put(heldKey(h.Scope, h.Address), []byte(key)), del(freedKey(h.Scope, h.Address))}}, nil
}

// dangling is the condition under which a held address is nobody's: it names a
// record that is not there or names another address.
func (l *Ledger) dangling(ctx context.Context, h ipam.Held) ([]Cond, error) {
	held := heldKey(h.Scope, h.Address)
	res, err := l.read(ctx, "read "+held, get(held))
	if err != nil {
		return nil, err
	}
	kv, ok := res.Out[0].one()
	if !ok || kv.Mod != h.Revision {
		return nil, fmt.Errorf("%s changed meanwhile: %w", held, ipam.ErrStale)
	}
	cond := []Cond{at(held, kv.Mod)}
	ref, err := parseRef(string(kv.Value))
	if err != nil {
		return cond, nil // it names nothing that this version, or any, could have written
	}
	key := string(kv.Value)
	if res, err = l.read(ctx, "read "+key, get(key)); err != nil {
		return nil, err
	}
	p, ok := res.Out[0].one()
	if !ok {
		return append(cond, absent(key)), nil
	}
	has, err := names(p, h.Scope, h.Address)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read, so that nobody knows what it holds: %w: %w", key, ipam.ErrInvalid, err)
	}
	if has {
		return nil, fmt.Errorf("%s %s has it and is there: %w", ref.Kind, key, ipam.ErrInvalid)
	}
	return append(cond, at(key, p.Mod)), nil
}

// unnamed is an error when a record names an address.
func (l *Ledger) unnamed(ctx context.Context, h ipam.Held) error {
	records := attachmentsPrefix
	if h.Scope.Kind == ipam.PoolScope {
		records = holdingsPrefix
	}
	for _, prefix := range []string{records, reservationsOf(h.Scope)} {
		pairs, _, err := l.pages(ctx, prefix, 0)
		if err != nil {
			return err
		}
		for _, p := range pairs {
			has, err := names(p, h.Scope, h.Address)
			if err != nil {
				return fmt.Errorf("%s cannot be read and may have it: %w: %w", p.Key, ipam.ErrInvalid, err)
			}
			if has {
				return fmt.Errorf("%s has it and is there: %w", p.Key, ipam.ErrInvalid)
			}
		}
	}
	return nil
}

// names says whether a record names an address as its own.
func names(p Pair, s ipam.Scope, a netip.Addr) (bool, error) {
	ref, err := parseRef(p.Key)
	if err != nil {
		return false, err
	}
	switch ref.Kind {
	case ipam.AttachmentRef:
		r, err := decodeRecord(p)
		return tenantScope(r.Tenant) == s && r.Address == a, err
	case ipam.HoldingRef:
		h, err := decodeHolding(p)
		return poolScope(h.Pool) == s && slices.ContainsFunc(h.Leases, func(l ipam.PoolLease) bool { return l.Address.Addr() == a }), err
	default:
		r, err := decodeReservation(p)
		return r.Scope == s && r.Address == a, err
	}
}

// dropping removes what this version cannot read.
func (l *Ledger) dropping(ctx context.Context, f ipam.Fix) (Txn, error) {
	key := f.Unreadable.Key
	b := builder{revisions: map[string]int64{}}
	read := b.reader(key)
	if read == nil {
		return Txn{}, fmt.Errorf("no record of this kind is known: %w", ipam.ErrInvalid)
	}
	res, err := l.read(ctx, "read "+key, get(key))
	if err != nil {
		return Txn{}, err
	}
	p, ok := res.Out[0].one()
	if !ok || p.Mod != f.Unreadable.Revision {
		return Txn{}, fmt.Errorf("it changed meanwhile: %w", ipam.ErrStale)
	}
	switch err := read(p); {
	case err == nil:
		return Txn{}, fmt.Errorf("it can be read: %w", ipam.ErrInvalid)
	case errors.Is(err, ipam.ErrNewer):
		return Txn{}, fmt.Errorf("it is not dropped, but to be read by the program that wrote it: %w", err)
	}
	return Txn{If: []Cond{at(key, p.Mod)}, Then: []Op{del(key)}}, nil
}
