package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/moatnet/moat/ipam"
)

var _ ipam.Auditable = (*Ledger)(nil)

// Snapshot implements ipam.Auditable.
func (l *Ledger) Snapshot(ctx context.Context) (ipam.Snapshot, error) {
	res, err := l.read(ctx, "take a snapshot", get(keyInstallation))
	if err != nil {
		return ipam.Snapshot{}, err
	}
	b := builder{revisions: map[string]int64{}}
	b.Revision = res.Revision
	b.all(res.Out[0].Pairs, func(p Pair) error { return decode(p, &b.Installation, &b.Installation.Schema) })
	for _, part := range b.parts() {
		pairs, _, err := l.pages(ctx, part.prefix, b.Revision)
		if err != nil {
			return ipam.Snapshot{}, fmt.Errorf("take a snapshot at revision %d: %w", b.Revision, err)
		}
		b.all(pairs, part.read)
	}
	for i := range b.Held {
		h := &b.Held[i]
		if key, err := refKey(h.Scope, h.Address, h.By); err == nil {
			h.Record = b.revisions[key]
		}
	}
	return b.Snapshot, nil
}

// builder puts a snapshot together.
type builder struct {
	ipam.Snapshot
	revisions map[string]int64 // of records that may hold addresses
}

// part is a kind of records.
type part struct {
	prefix string
	read   func(Pair) error
}

func (b *builder) parts() []part {
	return []part{
		{tenantsPrefix, b.tenant}, {"slots/", b.slot},
		{attachmentsPrefix, b.attachment}, {holdingsPrefix, b.holding}, {reservationsPrefix, b.reservation},
		{"addresses/", b.held}, {"freed/", b.freed}, {"pools/", b.pool},
	}
}

// reader reads what a key is about; nil for a kind of keys that is not known.
func (b *builder) reader(key string) func(Pair) error {
	for _, part := range b.parts() {
		if strings.HasPrefix(key, part.prefix) {
			return part.read
		}
	}
	return nil
}

// all takes in pairs; what cannot be read is noted as that.
func (b *builder) all(ps []Pair, read func(Pair) error) {
	for _, p := range ps {
		if err := read(p); err != nil {
			b.Unreadable = append(b.Unreadable, ipam.Unreadable{Key: p.Key, Revision: p.Mod, Reason: err.Error()})
		}
	}
}

func (b *builder) tenant(p Pair) error {
	t, err := decodeTenant(p)
	if err == nil && tenantKey(t.Name) != p.Key {
		err = misplaced(p, "tenant "+t.Name)
	}
	if err == nil {
		b.Tenants = append(b.Tenants, t)
	}
	return err
}

func misplaced(p Pair, what string) error {
	return fmt.Errorf("read %s: it is the record of %s: %w", p.Key, what, ipam.ErrCorrupt)
}

func (b *builder) slot(p Pair) error {
	f := strings.Split(p.Key, "/")
	n, err := strconv.Atoi(f[len(f)-1])
	var v slotValue
	if err = errors.Join(err, json.Unmarshal(p.Value, &v)); err != nil || len(f) < 3 {
		return errors.Join(fmt.Errorf("read %s: %w", p.Key, ipam.ErrCorrupt), err)
	}
	b.Slots = append(b.Slots, ipam.Slot{
		Pool: strings.Join(f[1:len(f)-1], "/"), Number: n, Tenant: v.Tenant, Generation: v.Generation, FreedAt: v.FreedAt, Revision: p.Mod})
	return nil
}

// The revisions of records that cannot be read are kept, too: what they hold is not
// dangling.

func (b *builder) attachment(p Pair) error {
	b.revisions[p.Key] = p.Mod
	r, err := decodeRecord(p)
	if err == nil && attachmentKey(r.Attachment) != p.Key {
		err = misplaced(p, "attachment "+r.Attachment.String())
	}
	if err == nil {
		b.Attachments = append(b.Attachments, r)
	}
	return err
}

func (b *builder) holding(p Pair) error {
	b.revisions[p.Key] = p.Mod
	h, err := decodeHolding(p)
	if err == nil && holdingKey(h.Attachment) != p.Key {
		err = misplaced(p, "attachment "+h.Attachment.String())
	}
	if err == nil {
		b.Holdings = append(b.Holdings, h)
	}
	return err
}

func (b *builder) reservation(p Pair) error {
	b.revisions[p.Key] = p.Mod
	r, err := decodeReservation(p)
	if err == nil && reservationKey(r.Scope, r.Claimant, r.Address) != p.Key {
		err = misplaced(p, fmt.Sprintf("address %s of %s for %q", r.Address, r.Scope, r.Identity))
	}
	if err == nil {
		b.Reservations = append(b.Reservations, r)
	}
	return err
}

func (b *builder) held(p Pair) error {
	s, a, err := addressOf(p.Key)
	if err != nil {
		return err
	}
	ref, err := parseRef(string(p.Value))
	b.Held = append(b.Held, ipam.Held{Scope: s, Address: a, By: ref, Value: string(p.Value), Revision: p.Mod})
	return err
}

func (b *builder) freed(p Pair) error {
	s, a, err := addressOf(p.Key)
	if err != nil {
		return err
	}
	var v freedValue
	if err := json.Unmarshal(p.Value, &v); err != nil {
		return fmt.Errorf("read %s: %w: %w", p.Key, ipam.ErrCorrupt, err)
	}
	b.Freed = append(b.Freed, ipam.Freed{Scope: s, Address: a, At: v.At, Revision: p.Mod})
	return nil
}

// pool reads what is below pools/.
func (b *builder) pool(p Pair) error {
	if f := strings.Split(p.Key, "/"); len(f) == 4 && f[2] == "freed" {
		return b.freed(p)
	}
	return b.held(p)
}

// addressOf reads scope and address from the key of a held or freed address.
func addressOf(key string) (ipam.Scope, netip.Addr, error) {
	f := strings.Split(key, "/")
	var s ipam.Scope
	switch {
	case len(f) == 3 && (f[0] == "addresses" || f[0] == "freed"):
		s = tenantScope(f[1])
	case len(f) == 4 && f[0] == "pools" && (f[2] == "addresses" || f[2] == "freed"):
		s = poolScope(f[1])
	default:
		return s, netip.Addr{}, fmt.Errorf("address key %q: %w", key, ipam.ErrCorrupt)
	}
	a, err := unsortable(f[len(f)-1])
	if err == nil && sortable(a) != f[len(f)-1] {
		err = fmt.Errorf("address key %q: %w", key, ipam.ErrCorrupt)
	}
	return s, a, err
}
