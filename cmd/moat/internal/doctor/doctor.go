package doctor

import (
	"context"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/cmd/moat/internal/control"
)

// Options say what is examined.
type Options struct {
	Config    config.Config
	ConfList  string // path of the CNI configuration that the daemon writes; "": none
	PluginDir string // where the runtime finds plugins
	// Operations runs a function with the daemon's operations, or with others of the
	// same installation.
	Operations func(context.Context, func(control.Operations) error) error
	Now        time.Time
}

// Finding is one thing that is wrong.
type Finding struct {
	Check  string `json:"check"`
	What   string `json:"what"`
	Why    string `json:"why"`    // what comes of it
	Repair string `json:"repair"` // a command, or what to do
}

// Unseen is what could not be looked at.
type Unseen struct {
	Check string `json:"check"`
	Why   string `json:"why"`
}

// Report is what an examination found.
type Report struct {
	Healthy  bool      `json:"healthy"` // nothing was found, and all was looked at
	Checks   int       `json:"checks"`  // that were made
	Findings []Finding `json:"findings"`
	Unseen   []Unseen  `json:"notLookedAt"`
}

// patience bounds one check.
const patience = 30 * time.Second

// examination is one run of all checks.
type examination struct {
	Options
	report Report
	check  string
	status *control.Status // nil: the daemon did not say
}

// Examine makes all checks, in an order in which what others stand on comes first.
func Examine(ctx context.Context, o Options) Report {
	x := &examination{Options: o, report: Report{Findings: []Finding{}, Unseen: []Unseen{}}}
	for _, c := range []struct {
		name string
		look func(context.Context) error
	}{
		{"daemon", x.daemon},
		{"etcd and SDN", x.warnings},
		{"REST API", x.login},
		{"clock", x.clock},
		{"addresses and pods", x.audit},
		{"routers", x.routers},
		{"kernel", x.kernel},
		{"forwarding", x.forwarding},
		{"CNI configuration", x.cni},
		{"plugins", x.plugins},
		{"debts", x.debts},
		{"certificates", x.certificates},
		{"secrets", x.secrets},
	} {
		x.check = c.name
		limited, cancel := context.WithTimeout(ctx, patience)
		err := c.look(limited)
		cancel()
		x.report.Checks++
		if err != nil {
			x.report.Unseen = append(x.report.Unseen, Unseen{c.name, err.Error()})
		}
	}
	x.report.Healthy = len(x.report.Findings)+len(x.report.Unseen) == 0
	return x.report
}

func (x *examination) found(what, why, repair string) {
	x.report.Findings = append(x.report.Findings, Finding{x.check, what, why, repair})
}
