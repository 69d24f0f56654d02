package ipamtest

import (
	"fmt"
	"net/netip"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

// requireSound holds a store to the invariant that a held address has a record
// that names it, and the other way round, and that no address has two.
func (k *keeper) requireSound() {
	k.Helper()
	snap, err := k.two.Snapshot(k.Context())
	require.NoError(k, err)
	require.NoError(k, sound(snap))
}

// place is an address of a scope.
type place struct {
	ipam.Scope
	netip.Addr
}

// heldOnce are the held addresses of a snapshot, each by a record and not free.
func heldOnce(s ipam.Snapshot) (map[place]ipam.Held, error) {
	if len(s.Unreadable) > 0 {
		return nil, fmt.Errorf("unreadable: %v", s.Unreadable)
	}
	held := map[place]ipam.Held{}
	for _, h := range s.Held {
		if h.Record == 0 {
			return nil, fmt.Errorf("%s of %s is held by %s, which is not there", h.Address, h.Scope, h.Value)
		}
		held[place{h.Scope, h.Address}] = h
	}
	for _, f := range s.Freed {
		if h, both := held[place{f.Scope, f.Address}]; both {
			return nil, fmt.Errorf("%s of %s is held by %s and marked as free", f.Address, f.Scope, h.Value)
		}
	}
	return held, nil
}

// sound says what does not belong together in a snapshot.
func sound(s ipam.Snapshot) error {
	held, err := heldOnce(s)
	if err != nil {
		return err
	}
	named := 0
	names := func(scope ipam.Scope, a netip.Addr, by ipam.Ref) error {
		named++
		if h := held[place{scope, a}]; h.By != by {
			return fmt.Errorf("%s of %s is %v's and held by %q", a, scope, by, h.Value)
		}
		return nil
	}
	claimed := map[place]ipam.Claimant{}
	for _, r := range s.Attachments {
		scope := ipam.Scope{Kind: ipam.TenantScope, Name: r.Tenant}
		if err := names(scope, r.Address, ipam.Ref{Kind: ipam.AttachmentRef, Attachment: r.Attachment}); err != nil {
			return err
		}
		if r.Reserved != nil {
			claimed[place{scope, r.Address}] = *r.Reserved
		}
	}
	for _, h := range s.Holdings {
		for _, l := range h.Leases {
			scope := ipam.Scope{Kind: ipam.PoolScope, Name: h.Pool}
			if err := names(scope, l.Address.Addr(), ipam.Ref{Kind: ipam.HoldingRef, Attachment: h.Attachment}); err != nil {
				return err
			}
			if l.Reserved != nil {
				claimed[place{scope, l.Address.Addr()}] = *l.Reserved
			}
		}
	}
	for _, r := range s.Reservations {
		if c, ok := claimed[place{r.Scope, r.Address}]; ok && c == r.Claimant {
			continue // its attachment has it
		}
		if err := names(r.Scope, r.Address, ipam.Ref{Kind: ipam.ReservationRef, Claimant: r.Claimant}); err != nil {
			return err
		}
		if r.Sticky && r.Until.IsZero() {
			return fmt.Errorf("%s of %s is kept for ever and nobody has it", r.Address, r.Scope)
		}
	}
	if named != len(held) {
		return fmt.Errorf("%d addresses are held, records name %d", len(held), named)
	}
	return nil
}
