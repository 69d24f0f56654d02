package ledger

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/moatnet/moat/ipam"
)

func heldOf(s ipam.Scope) string {
	if s.Kind == ipam.PoolScope {
		return poolAddresses(s.Name)
	}
	return addressesOf(s.Name)
}

func givenOf(s ipam.Scope) string {
	if s.Kind == ipam.PoolScope {
		return poolFreed(s.Name)
	}
	return freedOf(s.Name)
}

func heldKey(s ipam.Scope, a netip.Addr) string  { return heldOf(s) + sortable(a) }
func freedKey(s ipam.Scope, a netip.Addr) string { return givenOf(s) + sortable(a) }

// reservationsOf are the reservations of a scope; of all for the zero Scope.
func reservationsOf(s ipam.Scope) string {
	if s == (ipam.Scope{}) {
		return reservationsPrefix
	}
	return reservationsPrefix + string(s.Kind) + "/" + s.Name + "/"
}

// identityOf are an identity's reservations in a scope. What it has of '/' is
// escaped, so that the keys of one are never among those of another.
func identityOf(s ipam.Scope, identity string) string {
	return reservationsOf(s) + url.PathEscape(identity) + "/"
}

func claimantOf(s ipam.Scope, c ipam.Claimant) string {
	return identityOf(s, c.Identity) + url.PathEscape(c.IfName) + "/"
}

func reservationKey(s ipam.Scope, c ipam.Claimant, a netip.Addr) string {
	return claimantOf(s, c) + sortable(a)
}

// endingKey sorts reservations by when they end, so that those that are over are
// found without a look at the others. It is put and deleted with its reservation.
func endingKey(r ipam.Reservation) string {
	key := strings.TrimPrefix(reservationKey(r.Scope, r.Claimant, r.Address), reservationsPrefix)
	return fmt.Sprintf("%s%012d/%s", endingsPrefix, r.Until.Unix(), key)
}

// endedBy are the endings up to a time.
func endedBy(t time.Time) (key, end string) {
	return endingsPrefix, fmt.Sprintf("%s%012d0", endingsPrefix, t.Unix()) // '0' follows '/'
}

// parseReservation reads scope, claimant and address from a reservation's key.
func parseReservation(key string) (s ipam.Scope, c ipam.Claimant, a netip.Addr, err error) {
	bad := fmt.Errorf("reservation key %q: %w", key, ipam.ErrCorrupt)
	f := strings.Split(key, "/")
	if len(f) != 6 {
		return s, c, a, bad
	}
	s = ipam.Scope{Kind: ipam.ScopeKind(f[1]), Name: f[2]}
	identity, err1 := url.PathUnescape(f[3])
	name, err2 := url.PathUnescape(f[4])
	if err1 != nil || err2 != nil || s.Kind != ipam.TenantScope && s.Kind != ipam.PoolScope {
		return s, c, a, bad
	}
	a, err = unsortable(f[5])
	return s, ipam.Claimant{Identity: identity, IfName: name}, a, err
}

// parseRef reads which record a held address names.
func parseRef(value string) (ipam.Ref, error) {
	switch {
	case strings.HasPrefix(value, reservationsPrefix):
		_, c, _, err := parseReservation(value)
		return ipam.Ref{Kind: ipam.ReservationRef, Claimant: c}, err
	case strings.HasPrefix(value, attachmentsPrefix):
		a, err := parseAttachment(value)
		return ipam.Ref{Kind: ipam.AttachmentRef, Attachment: a}, err
	case strings.HasPrefix(value, holdingsPrefix):
		a, err := parseAttachment(value)
		return ipam.Ref{Kind: ipam.HoldingRef, Attachment: a}, err
	}
	return ipam.Ref{}, fmt.Errorf("holder %q: %w", value, ipam.ErrCorrupt)
}

// refKey is the key of the record that a Ref of an address names.
func refKey(s ipam.Scope, a netip.Addr, r ipam.Ref) (string, error) {
	switch r.Kind {
	case ipam.AttachmentRef:
		return attachmentKey(r.Attachment), nil
	case ipam.HoldingRef:
		return holdingKey(r.Attachment), nil
	case ipam.ReservationRef:
		return reservationKey(s, r.Claimant, a), nil
	}
	return "", fmt.Errorf("address %s of %s: a record of kind %q: %w", a, s, r.Kind, ipam.ErrInvalid)
}

func reserved(value []byte) bool { return strings.HasPrefix(string(value), reservationsPrefix) }
