package command

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"text/tabwriter"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/audit"
)

func addressTable(w io.Writer, list []audit.Address) error {
	tw := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SCOPE\tADDRESS\tSTATE\tPOD\tNODE\tINTERFACE\tSINCE\tKEPT")
	for _, a := range list {
		node, ifName := "-", "-"
		if a.Attachment != nil {
			node, ifName = a.Attachment.Node, a.Attachment.IfName
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.Scope, a.Address, a.State, podOf(a), node, ifName, when(a.Since), kept(a.Reservation))
	}
	return tw.Flush()
}

func podOf(a audit.Address) string {
	switch {
	case a.Pod != "":
		return a.Namespace + "/" + a.Pod
	case a.Attachment != nil:
		return a.Attachment.ContainerID
	}
	return "-"
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func kept(r *audit.Reservation) string {
	switch {
	case r == nil:
		return "-"
	case r.Sticky:
		return "sticky"
	case r.For != "":
		return "for " + r.For
	}
	return "reserved"
}

// terms are those of a reservation, to be put behind a sentence.
func terms(r *audit.Reservation) (text string) {
	if r.For != "" {
		text += " for " + r.For
	}
	if !r.Until.IsZero() {
		text += " until " + when(r.Until)
	}
	if r.Note != "" {
		text += fmt.Sprintf(" (%s)", r.Note)
	}
	return text
}

func addressDetails(w io.Writer, list []audit.Address) error {
	for i, a := range list {
		if i > 0 {
			fmt.Fprintln(w)
		}
		tw := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
		line := func(name, value string) {
			if value != "" && value != "-" {
				fmt.Fprintf(tw, "%s\t%s\n", name, value)
			}
		}
		line("address", a.Address.String())
		line("scope", a.Scope.String())
		line("state", string(a.State))
		if at := a.Attachment; at != nil {
			line("pod", podOf(a))
			line("pod UID", a.PodUID)
			line("node", at.Node)
			line("network", at.Network)
			line("container", at.ContainerID)
			line("interface", at.IfName)
		}
		line("since", when(a.Since))
		line("subnet", valid(a.Subnet))
		line("gateway", valid(a.Gateway))
		line("MAC", a.MAC)
		line("port", a.Port)
		line("bridge", a.Bridge)
		line("host interface", a.Interface)
		line("namespace", a.Netns)
		if r := a.Reservation; r != nil {
			line("kept", cmp.Or(r.For, "for nobody"))
			line("sticky", map[bool]string{true: "yes"}[r.Sticky])
			line("kept since", when(r.Since))
			line("kept until", when(r.Until))
			line("note", r.Note)
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func valid[T interface {
	netip.Addr | netip.Prefix
	IsValid() bool
	String() string
}](v T) string {
	if !v.IsValid() {
		return ""
	}
	return v.String()
}

func usageTable(w io.Writer, list []audit.Usage) error {
	tw := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SCOPE\tSUBNET\tUSED\tRESERVED\tCOOLING\tFREE\tTOTAL\tPERCENT")
	for _, u := range list {
		free, total, percent, sum := "-", "-", "-", "all"
		if u.Scope.Kind == ipam.PoolScope {
			sum = "-"
		}
		if u.Total != nil {
			free, total, percent = fmt.Sprint(*u.Free), fmt.Sprint(*u.Total), fmt.Sprintf("%.1f", *u.Percent)
		}
		fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\n", u.Scope, cmp.Or(valid(u.Subnet), sum), u.Used, u.Reserved, u.Cooling, free, total, percent)
	}
	return tw.Flush()
}

func auditText(w io.Writer, r control.AuditReport) error {
	for _, f := range r.Findings {
		fmt.Fprintf(w, "%s: %s\n", f.Kind, f.What)
		switch {
		case f.Repaired:
			fmt.Fprintln(w, "  repaired")
		case f.Error != "":
			fmt.Fprintf(w, "  not repaired: %s\n", f.Error)
		case f.Hint != "":
			fmt.Fprintf(w, "  %s\n", f.Hint)
		}
	}
	where := "no node was looked at"
	if r.Node != "" {
		where = "node " + r.Node + " was looked at"
	}
	findings := "findings"
	if len(r.Findings) == 1 {
		findings = "finding"
	}
	_, err := fmt.Fprintf(w, "%d %s, %d repaired; %s\n", len(r.Findings), findings, len(r.Findings)-r.Left(), where)
	return err
}
