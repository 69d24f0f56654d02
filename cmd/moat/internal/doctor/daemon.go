package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/ipam/audit"
	"github.com/moatnet/moat/sdn/client"
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

// login looks whether the daemon's own REST API lets its admin in.
func (x *examination) login(ctx context.Context) error {
	c := x.Config
	if len(c.Endpoint.URLs) > 0 {
		return nil // the daemon's status is about that one
	}
	if x.status == nil {
		return errAway
	}
	d := net.Dialer{Timeout: 3 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", c.Listen)
	if err != nil {
		x.found(fmt.Sprintf("the REST API does not answer at listen: %s: %v", c.Listen, err), "clients cannot see or change tenants' networks", "compare the key listen of the configuration with that of the running daemon, and restart moat up")
		return nil
	}
	_ = conn.Close()
	if c.TLS.CertFile != "" {
		return nil // what it needs of a client is not known here
	}
	file := filepath.Join(c.DataDir, "admin.password")
	password, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the password of admin: %w", err)
	}
	api, err := client.New(client.Options{Endpoints: []string{"http://" + c.Listen + "/midonet-api"}, User: "admin",
		Password: strings.TrimSpace(string(password)), Timeout: 10 * time.Second, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer api.Close()
	if _, err := api.Hosts(ctx); err != nil {
		x.found(fmt.Sprintf("the REST API at %s does not let admin in with the password in %s: %v", c.Listen, file, err),
			"commands and clients that use this password fail", "restart moat up: it reads the file when it starts")
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
