package node

import (
	"context"

	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/ipam/audit"
)

// Reserve implements control.Operations.
func (d *daemon) Reserve(ctx context.Context, r control.ReserveRequest) (audit.Address, error) {
	return change(d, func() (audit.Address, error) { return d.addresses.Reserve(ctx, r) })
}

// Release implements control.Operations.
func (d *daemon) Release(ctx context.Context, r control.ReleaseRequest) (control.Released, error) {
	return change(d, func() (control.Released, error) { return d.addresses.Release(ctx, r) })
}

// Audit implements control.Operations.
func (d *daemon) Audit(ctx context.Context, r control.AuditRequest) (control.AuditReport, error) {
	return change(d, func() (control.AuditReport, error) { return d.addresses.Audit(ctx, r) })
}
