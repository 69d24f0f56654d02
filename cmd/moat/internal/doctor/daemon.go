package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/ipam/audit"
)

// errAway is why nothing can be asked.
var errAway = errors.New("the daemon does not answer")

// daemon looks whether it runs and can serve an ADD.
func (x *examination) daemon(ctx context.Context) error {
	var st control.Status
	err := x.Operations(ctx, func(ops control.Operations) (err error) { st, err = ops.Status(ctx); return err })
	if err != nil {
		x.found(err.Error(), "no pod of this node gets a network, and nothing is swept or restored", "moat up (or: systemctl start moat), and see its log")
		return nil
	}
	x.status = &st
	if !st.Ready {
		x.found("the daemon is not ready: "+st.Reason, "no pod can be attached", "see what is found beside this; else restart moat up and see its log")
	}
	return nil
}

// asked runs f with the operations of a daemon that answered.
func (x *examination) asked(ctx context.Context, f func(control.Operations) error) error {
	if x.status == nil {
		return errAway
	}
	return x.Operations(ctx, f)
}

// warnings are what the daemon says of etcd: members that are away, alarms, size.
func (x *examination) warnings(context.Context) error {
	if x.status == nil {
		return errAway
	}
	for _, w := range x.status.Warnings {
		x.found(w, "when etcd takes no more writes, no pod can be attached", "etcdctl endpoint status; then etcdctl compact, etcdctl defrag and etcdctl alarm disarm, or a greater quota (embedded.quotaBytes)")
	}
	return nil
}

// ahead is how far another node's clock may be ahead of this one's.
const ahead = time.Minute

// clock looks for addresses that were leased in the future.
func (x *examination) clock(ctx context.Context) error {
	var list []audit.Address
	if err := x.asked(ctx, func(ops control.Operations) (err error) {
		list, err = ops.Addresses(ctx, control.AddressQuery{})
		return err
	}); err != nil {
		return err
	}
	for _, a := range list {
		if a.Since.Sub(x.Now) > ahead {
			x.found(fmt.Sprintf("address %s of %s was leased at %s, and it is %s here", a.Address, a.Scope, a.Since.UTC().Format(time.RFC3339), x.Now.UTC().Format(time.RFC3339)),
				"deadlines and reservations end too early or too late, and tokens and certificates may be refused", "timedatectl set-ntp true, on all nodes")
			return nil
		}
	}
	return nil
}

// audit compares leases, ports, pods and interfaces, as `moat ip audit` does.
func (x *examination) audit(ctx context.Context) error {
	var report control.AuditReport
	if err := x.asked(ctx, func(ops control.Operations) (err error) {
		report, err = ops.Audit(ctx, control.AuditRequest{Node: true})
		return err
	}); err != nil {
		return err
	}
	for _, f := range report.Findings {
		repair := "moat ip audit --repair"
		if f.Remedy == audit.ByHand {
			repair = f.Hint
		}
		x.found(fmt.Sprintf("%s: %s", f.Kind, f.What), f.Hint, repair)
	}
	return nil
}
