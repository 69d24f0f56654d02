package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/cmd/moat/internal/holdings"
	"github.com/moatnet/moat/cmd/moat/internal/survey"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/audit"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/tenant"
)

// addresses are the operations about addresses, wherever they are.
type addresses struct {
	auditor
	coolDown time.Duration // of tenants' addresses
}

// addressStore is what operators see of the store of leases.
type addressStore interface {
	ipam.Auditable
	ipam.ReservationStore
}

// newAddresses is for a process on a node, whose pods and interfaces it can see, or
// elsewhere.
func (b *base) newAddresses(m *tenant.Manager, api sdn.API, onNode bool) addresses {
	a := addresses{auditor{store: b.ledger, pools: b.newPools(), manager: m, api: api}, b.cfg.CoolDown}
	if onNode {
		a.node = &survey.Node{Name: b.nodeName, Installation: b.plan.ID, NetnsDir: b.cfg.RunNetns,
			Orphan: holdings.Orphan{Pods: holdings.Pods{BootID: b.boot}, Ports: api}}
	}
	return a
}

// Addresses implements control.Operations.
func (a addresses) Addresses(ctx context.Context, q control.AddressQuery) ([]audit.Address, error) {
	s, err := a.store.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	list := chosen(audit.Addresses(s), q)
	if q.Scope.Kind == ipam.TenantScope && len(list) == 0 && !slices.ContainsFunc(s.Tenants, func(t ipam.Tenant) bool { return t.Name == q.Scope.Name }) {
		return nil, kinded{fmt.Errorf("there is no tenant %q", q.Scope.Name), control.ErrNotFound}
	}
	return list, nil
}

func chosen(all []audit.Address, q control.AddressQuery) []audit.Address {
	list := []audit.Address{}
	for _, one := range all {
		switch {
		case q.Scope != (ipam.Scope{}) && one.Scope != q.Scope:
		case q.Address.IsValid() && one.Address != q.Address:
		case q.Node != "" && (one.Attachment == nil || one.Attachment.Node != q.Node):
		default:
			list = append(list, one)
		}
	}
	return list
}

// Usage implements control.Operations.
func (a addresses) Usage(ctx context.Context) ([]audit.Usage, error) {
	s, err := a.store.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	rest := audit.Rest{Tenants: a.coolDown, Pools: agent.DefaultCoolDown, Ports: ledger.DefaultPorts}
	return audit.Utilisation(s, rest, time.Now()), nil
}

// Reserve implements control.Operations.
func (a addresses) Reserve(ctx context.Context, r control.ReserveRequest) (audit.Address, error) {
	want := ipam.Reservation{Scope: r.Scope, Address: r.Address, Claimant: ipam.Claimant{Identity: r.For}, Note: r.Note}
	if r.During > 0 {
		want.Until = time.Now().Add(r.During).UTC()
	}
	got, err := a.store.Reserve(ctx, want)
	if err != nil {
		return audit.Address{}, known(err)
	}
	return audit.Address{Scope: got.Scope, Address: got.Address, State: audit.Reserved, Since: got.Since,
		Reservation: &audit.Reservation{For: got.Identity, Note: got.Note, Since: got.Since, Until: got.Until}}, nil
}

// known gives errors of the store the kinds that operators' programs know.
func known(err error) error {
	var used *ipam.AddressInUseError
	var reserved *ipam.ReservedError
	switch {
	case errors.As(err, &used), errors.As(err, &reserved):
		return kinded{err, control.ErrInUse}
	case errors.Is(err, ipam.ErrNotFound):
		return kinded{err, control.ErrNotFound}
	}
	return err
}

// kinded is an error with a kind that is not said: the words tell it.
type kinded struct {
	error
	kind error
}

func (k kinded) Unwrap() []error { return []error{k.error, k.kind} }

// Release implements control.Operations.
func (a addresses) Release(ctx context.Context, r control.ReleaseRequest) (control.Released, error) {
	what := "release " + r.Address.String()
	held, err := a.heldAt(ctx, r)
	if err != nil {
		return control.Released{}, fmt.Errorf("%s: %w", what, err)
	}
	done := control.Released{Scope: held.Scope, Address: held.Address}
	if held.Reservation != nil {
		kept, err := a.store.Reservation(ctx, held.Scope, held.Address)
		if err == nil {
			done.Holder, err = kept.Holder, a.store.Unreserve(ctx, kept)
		}
		return done, wrapped(what, known(err))
	}
	if r.Force {
		return done, wrapped(what, a.clean(ctx, held))
	}
	return done, fmt.Errorf("%s: %w: it is not reserved: attachment %s on node %s (pod %s/%s) holds it; it is free when the pod is deleted. "+
		"If there is no such pod: moat ip audit --repair", what, control.ErrInUse, held.Attachment, held.Attachment.Node, held.Namespace, held.Pod)
}

func wrapped(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// heldAt is the address that a release means.
func (a addresses) heldAt(ctx context.Context, r control.ReleaseRequest) (audit.Address, error) {
	list, err := a.Addresses(ctx, control.AddressQuery{Scope: r.Scope, Address: r.Address})
	switch {
	case err != nil:
		return audit.Address{}, err
	case len(list) == 0:
		return audit.Address{}, fmt.Errorf("%w: nobody holds it, and it is not reserved", control.ErrNotFound)
	case len(list) > 1:
		return audit.Address{}, fmt.Errorf("it is held in %s and in %s: say --tenant or --pool", list[0].Scope, list[1].Scope)
	case list[0].Attachment == nil && list[0].Reservation == nil:
		return list[0], errors.New("who holds it cannot be read: see moat ip audit")
	}
	return list[0], nil
}

// clean frees an address whose attachment is proven to be gone.
func (a addresses) clean(ctx context.Context, held audit.Address) error {
	report, err := a.audit(ctx, control.AuditRequest{Node: true, Repair: true}, func(f audit.Finding) bool {
		return f.Scope == held.Scope && f.Address == held.Address
	})
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		if f.Repaired {
			return nil
		}
		if f.Error != "" {
			return errors.New(f.Error)
		}
	}
	return fmt.Errorf("%w: attachment %s on node %s (pod %s/%s) holds it, and nothing proves that the pod is gone as seen from here",
		control.ErrInUse, held.Attachment, held.Attachment.Node, held.Namespace, held.Pod)
}
