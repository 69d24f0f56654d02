package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/moatnet/moat/ipam"
)

func same(a, b ipam.Reservation) bool {
	return a.Claimant == b.Claimant && a.Sticky == b.Sticky && a.Note == b.Note && a.Until.Equal(b.Until)
}

// reservable returns ErrInvalid for what no reservation may be.
func reservable(r ipam.Reservation) error {
	unprintable := func(c rune) bool { return !unicode.IsPrint(c) }
	var wrong string
	switch {
	case r.Scope.Kind != ipam.TenantScope && r.Scope.Kind != ipam.PoolScope:
		wrong = fmt.Sprintf("scope %q is neither %q nor %q", r.Scope.Kind, ipam.TenantScope, ipam.PoolScope)
	case !ipam.ValidName(r.Scope.Name):
		wrong = fmt.Sprintf("%q is not the name of a %s", r.Scope.Name, r.Scope.Kind)
	case !r.Address.IsValid():
		wrong = "no address is given"
	case r.Address.Is4In6(), r.Address.Zone() != "":
		wrong = fmt.Sprintf("address %s is not a plain IPv4 or IPv6 address", r.Address)
	case !r.Address.IsGlobalUnicast():
		wrong = fmt.Sprintf("address %s is no unicast address that a pod may have", r.Address)
	case len(r.Note) > ipam.MaxNote:
		wrong = fmt.Sprintf("the note has %d bytes, at most %d are possible", len(r.Note), ipam.MaxNote)
	case strings.ContainsFunc(r.Note, unprintable):
		wrong = fmt.Sprintf("note %q has characters that cannot be printed", r.Note)
	case validClaimant(r.Claimant) != nil:
		return validClaimant(r.Claimant)
	case !r.Until.IsZero() && !r.Until.After(r.Since):
		wrong = fmt.Sprintf("it would end at %s, which is over", r.Until.Format(time.RFC3339))
	default:
		return nil
	}
	return fmt.Errorf("%s: %w", wrong, ipam.ErrInvalid)
}

// maxIdentity is how many bytes an identity may have: namespace, kind, name and
// node of a pod's owner.
const maxIdentity = 1024

func validClaimant(c ipam.Claimant) error {
	unfit := func(r rune) bool { return r <= ' ' || r > '~' }
	switch {
	case len(c.Identity) > maxIdentity, strings.ContainsFunc(c.Identity, unfit):
		return fmt.Errorf("identity %q is not of at most %d printable characters of ASCII: %w", c.Identity, maxIdentity, ipam.ErrInvalid)
	case c.Identity != "" && !strings.Contains(c.Identity, "/"):
		return fmt.Errorf("identity %q is not of the form NAMESPACE/POD or NAMESPACE/KIND/NAME: %w", c.Identity, ipam.ErrInvalid)
	case len(c.IfName) > 15, strings.ContainsFunc(c.IfName, unfit), strings.Contains(c.IfName, "/"):
		return fmt.Errorf("%q is not the name of an interface: %w", c.IfName, ipam.ErrInvalid)
	}
	return nil
}

// fits says whether an address is one of its scope's, and under which condition
// it stays so. Pools are defined by network configurations, which the store does
// not know: any address may be reserved in any pool.
func (l *Ledger) fits(ctx context.Context, r ipam.Reservation) ([]Cond, error) {
	if r.Scope.Kind == ipam.PoolScope {
		return nil, nil
	}
	t, err := l.Tenant(ctx, r.Scope.Name)
	if err != nil {
		return nil, err
	}
	if t.State == ipam.TenantDeleting {
		return nil, fmt.Errorf("tenant %s is being deleted: %w", t.Name, ipam.ErrNotFound)
	}
	var names []string
	for _, s := range t.Subnets {
		if s.Prefix.Contains(r.Address) {
			return []Cond{at(tenantKey(t.Name), t.Revision)}, usable(s, r.Address)
		}
		names = append(names, s.Prefix.String())
	}
	return nil, fmt.Errorf("the address is in none of the tenant's subnets %s: %w", strings.Join(names, ", "), ipam.ErrInvalid)
}
