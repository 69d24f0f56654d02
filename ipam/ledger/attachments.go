package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/moatnet/moat/ipam"
)

// Attachment implements ipam.Store.
func (l *Ledger) Attachment(ctx context.Context, a ipam.Attachment) (ipam.Record, error) {
	if err := a.Validate(); err != nil {
		return ipam.Record{}, err
	}
	what := "read attachment " + a.String()
	res, err := l.read(ctx, what, get(attachmentKey(a)))
	if err != nil {
		return ipam.Record{}, err
	}
	p, ok := res.Out[0].one()
	if !ok {
		return ipam.Record{}, fmt.Errorf("%s: %w", what, ipam.ErrNotFound)
	}
	return decodeRecord(p)
}

// Attachments implements ipam.Store.
func (l *Ledger) Attachments(ctx context.Context, node, network string) ([]ipam.Record, error) {
	res, err := l.read(ctx, "list attachments of node "+node, list(attachmentsOf(node, network)))
	if err != nil {
		return nil, err
	}
	return decodeAll(res.Out[0].Pairs, decodeRecord)
}

// TenantAttachments implements ipam.Store.
func (l *Ledger) TenantAttachments(ctx context.Context, tenant string) ([]ipam.Attachment, error) {
	res, err := l.read(ctx, "list attachments of tenant "+tenant, list(addressesOf(tenant)))
	if err != nil {
		return nil, err
	}
	held := slices.DeleteFunc(res.Out[0].Pairs, func(p Pair) bool { return reserved(p.Value) })
	return decodeAll(held, func(p Pair) (ipam.Attachment, error) {
		return parseAttachment(string(p.Value))
	})
}

// TakeOver implements ipam.Store.
func (l *Ledger) TakeOver(ctx context.Context, r ipam.Record, owner string, deadline time.Time) (ipam.Record, error) {
	r.Owner, r.Deadline = owner, deadline
	v, err := encode(r)
	if err != nil {
		return ipam.Record{}, err
	}
	key := attachmentKey(r.Attachment)
	res, err := l.commit(ctx, "take over attachment "+r.Attachment.String(), Txn{
		If:   []Cond{at(key, r.Revision)},
		Then: []Op{put(key, v)},
		Else: []Op{get(key)},
	})
	switch {
	case err != nil:
		return ipam.Record{}, err
	case res.OK:
		r.Revision = res.Revision
		return r, nil
	case len(res.Out[0].Pairs) == 0:
		return ipam.Record{}, fmt.Errorf("take over attachment %s: %w", r.Attachment, ipam.ErrNotFound)
	default:
		return ipam.Record{}, fmt.Errorf("take over attachment %s: %w", r.Attachment, ipam.ErrStale)
	}
}

// batch is how many records one transaction confirms; etcd allows 128.
const batch = 100

// Confirm implements ipam.Store.
func (l *Ledger) Confirm(ctx context.Context, rs []ipam.Record) error {
	for rs = newest(rs); len(rs) > 0; {
		n := min(batch, len(rs))
		var ops []Op
		for _, r := range rs[:n] {
			r.State = ipam.Added
			v, err := encode(r)
			if err != nil {
				return err
			}
			key := attachmentKey(r.Attachment)
			ops = append(ops, Op{Kind: OpTxn, Txn: Txn{If: []Cond{at(key, r.Revision)}, Then: []Op{put(key, v)}}})
		}
		if _, err := l.commit(ctx, "confirm attachments", Txn{Then: ops}); err != nil {
			return err
		}
		rs = rs[n:]
	}
	return nil
}

// newest keeps one record of each attachment, the latest: etcd refuses a
// transaction that names a key twice.
func newest(rs []ipam.Record) []ipam.Record {
	kept := make([]ipam.Record, 0, len(rs))
	at := make(map[ipam.Attachment]int, len(rs))
	for _, r := range rs {
		i, seen := at[r.Attachment]
		switch {
		case !seen:
			at[r.Attachment] = len(kept)
			kept = append(kept, r)
		case r.Revision > kept[i].Revision:
			kept[i] = r
		}
	}
	return kept
}
