package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/cmd/moat/internal/survey"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/audit"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/tenant"
)

// lookAgain is how long an audit waits before it looks again at what it found:
// calls that were under way are further then.
const lookAgain = time.Second

// auditor compares the store with what there is, while calls are under way.
type auditor struct {
	store   addressStore
	pools   ipam.PoolStore
	manager *tenant.Manager
	api     sdn.API
	node    *survey.Node // nil: this process is on none
}

// Audit implements control.Operations.
func (a auditor) Audit(ctx context.Context, r control.AuditRequest) (control.AuditReport, error) {
	return a.audit(ctx, r, func(audit.Finding) bool { return true })
}

// audit looks twice if there is something to see, and repairs what it is asked to.
func (a auditor) audit(ctx context.Context, r control.AuditRequest, of func(audit.Finding) bool) (control.AuditReport, error) {
	v := survey.Survey{Ports: a.api}
	report := control.AuditReport{Findings: []control.AuditResult{}}
	if r.Node && a.node != nil {
		v.Node, report.Node = a.node, a.node.Name
	}
	found, revision, err := a.look(ctx, v)
	if err != nil {
		return report, err
	}
	if len(found) > 0 {
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return report, ctx.Err()
		}
		again, later, err := a.look(ctx, v)
		if err != nil {
			return report, err
		}
		found, revision = audit.Lasting(found, again), later
	}
	report.Revision = revision
	for _, f := range found {
		if !of(f) {
			continue
		}
		one := control.AuditResult{Finding: f}
		if r.Repair {
			one.Repaired, err = a.repair(ctx, f, r.DropUnreadable)
			if err != nil {
				one.Error = err.Error()
			}
		}
		report.Findings = append(report.Findings, one)
	}
	return report, nil
}

func (a auditor) look(ctx context.Context, v survey.Survey) ([]audit.Finding, int64, error) {
	s, err := a.store.Snapshot(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("audit: %w", err)
	}
	facts, err := v.Facts(ctx, s)
	if err != nil {
		return nil, 0, fmt.Errorf("audit: %w", err)
	}
	return audit.Compare(s, facts), s.Revision, nil
}

// repair does what a finding needs, if that can be done from here. Each remedy looks
// itself whether all is as it was found.
func (a auditor) repair(ctx context.Context, f audit.Finding, drop bool) (bool, error) {
	switch f.Remedy {
	case audit.FixStore:
		return repaired(a.store.Repair(ctx, f.Fix))
	case audit.DropIt:
		if drop {
			return repaired(a.store.Repair(ctx, f.Fix))
		}
	case audit.EndThem:
		_, err := a.store.EndReservations(ctx)
		return repaired(err)
	case audit.DropPort:
		return a.dropPort(ctx, sdn.PortID(f.Port))
	case audit.GiveBack:
		if a.node != nil && a.node.Gone(f.Holding) {
			return repaired(a.pools.GiveBack(ctx, f.Holding))
		}
	}
	if a.node == nil || f.Attachment == nil || f.Attachment.Node != a.node.Name {
		return false, nil
	}
	switch f.Remedy {
	case audit.Detach:
		return a.manager.DetachIf(ctx, f.Record, a.node.Orphan.Gone)
	case audit.Settle:
		return repaired(a.manager.Sweep(ctx))
	case audit.Restore:
		return a.restore(ctx, f.Record)
	}
	return false, nil
}

func repaired(err error) (bool, error) {
	if errors.Is(err, ipam.ErrStale) {
		err = fmt.Errorf("it changed meanwhile, look again: %w", err)
	}
	return err == nil, err
}

// dropPort deletes a pod's port that is no attachment's and that nothing plays.
func (a auditor) dropPort(ctx context.Context, id sdn.PortID) (bool, error) {
	p, err := a.api.Port(ctx, id)
	if errors.Is(err, sdn.ErrNotFound) {
		return true, nil
	}
	if err != nil || p.Active {
		return false, err
	}
	if err := a.api.DeletePort(ctx, id); err != nil && !errors.Is(err, sdn.ErrNotFound) {
		return false, fmt.Errorf("delete port %s: %w", id, err)
	}
	return true, nil
}

// restore makes an attachment's port again, and its pair if the pod has none.
func (a auditor) restore(ctx context.Context, r ipam.Record) (bool, error) {
	ns, err := a.node.Unplugged(ctx, r)
	if err != nil {
		return false, err
	}
	if ns != nil {
		defer ns.Close()
	}
	return a.manager.Restore(ctx, r, ns)
}
