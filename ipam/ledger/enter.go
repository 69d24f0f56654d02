package ledger

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/moatnet/moat/ipam"
)

// Enter implements ipam.Store.
func (l *Ledger) Enter(ctx context.Context, t ipam.Tenant, r ipam.Record) (ipam.Record, error) {
	what := "enter attachment " + r.Attachment.String()
	r.Schema, r.State, r.Address, r.Gateway, r.Sticky = ipam.Schema, ipam.Adding, netip.Addr{}, netip.Addr{}, nil
	if err := leasable(t, r); err != nil {
		return ipam.Record{}, fmt.Errorf("%s: %w", what, err)
	}
	v, err := encode(r)
	if err != nil {
		return ipam.Record{}, err
	}
	key := attachmentKey(r.Attachment)
	res, err := l.commit(ctx, what, Txn{
		If:   []Cond{at(tenantKey(t.Name), t.Revision), absent(key)},
		Then: []Op{put(key, v)},
		Else: []Op{get(key)},
	})
	if err != nil {
		return ipam.Record{}, err
	}
	if res.OK {
		r.Created, r.Revision = res.Revision, res.Revision
		return r, nil
	}
	kv, there := res.Out[0].one()
	if !there {
		return ipam.Record{}, fmt.Errorf("%s: %w", what, stale(t))
	}
	have, err := decodeRecord(kv)
	if err != nil {
		return ipam.Record{}, err
	}
	return ipam.Record{}, &ipam.ExistsError{Record: have}
}

// Assign implements ipam.Store.
func (l *Ledger) Assign(ctx context.Context, t ipam.Tenant, r ipam.Record, a netip.Addr) (ipam.Record, error) {
	what := fmt.Sprintf("assign %s to attachment %s", a, r.Attachment)
	created := r.Created
	r.Address, r.Sticky = a, nil
	if err := leasable(t, r); err != nil {
		return ipam.Record{}, fmt.Errorf("%s: %w", what, err)
	}
	r = filled(t, r, a)
	v, err := encode(r)
	if err != nil {
		return ipam.Record{}, err
	}
	scope := tenantScope(t.Name)
	key, address := attachmentKey(r.Attachment), heldKey(scope, a)
	res, err := l.commit(ctx, what, Txn{
		If:   []Cond{at(tenantKey(t.Name), t.Revision), at(key, r.Revision), absent(address)},
		Then: []Op{put(key, v), put(address, []byte(key)), del(freedKey(scope, a))},
		Else: []Op{get(address)},
	})
	if err != nil {
		return ipam.Record{}, err
	}
	if res.OK {
		r.Created, r.Revision = created, res.Revision
		return r, nil
	}
	if kv, held := res.Out[0].one(); held {
		return ipam.Record{}, fmt.Errorf("%s: %w", what, l.refusal(ctx, scope, a, kv))
	}
	return ipam.Record{}, fmt.Errorf("%s: %w", what, ipam.ErrStale)
}

// leave is Release of a record that was entered and has no address, as it was read.
func (l *Ledger) leave(ctx context.Context, r ipam.Record) error {
	key := attachmentKey(r.Attachment)
	what := "release attachment " + r.Attachment.String()
	res, err := l.commit(ctx, what, Txn{
		If:   []Cond{at(key, r.Revision)},
		Then: []Op{del(key)},
		Else: []Op{get(key)},
	})
	if err != nil || res.OK {
		return err
	}
	if kv, there := res.Out[0].one(); there && kv.Create == r.Created {
		return fmt.Errorf("%s: %w", what, ipam.ErrStale) // it may have an address by now
	}
	return nil
}
