package command

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/cmd/moat/internal/doctor"
	"github.com/moatnet/moat/cmd/moat/internal/node"
)

// Exit statuses of doctor.
const (
	doctorFound exitStatus = 1
	doctorBlind exitStatus = 2
)

func (e *env) doctor() *cobra.Command {
	var plugins string
	cmd := &cobra.Command{Use: "doctor", Args: cobra.NoArgs,
		Short: "Find what is wrong, and say why and what repairs it",
		Long: "Look, on a node, for what is wrong with daemon, etcd, SDN, kernel, pods, CNI configuration, plugins and files; give it the\n" +
			"configuration of the daemon. Nothing is changed.\n" +
			"Exit status: 0 nothing is wrong; 1 something is wrong; 2 it could not be found out, or not all of it."}
	format := output(cmd.Flags(), "text", "json")
	cmd.Flags().StringVar(&plugins, "plugin-dir", "/opt/cni/bin", "where the runtime finds CNI plugins")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := e.flags.Config()
		if err != nil {
			return err
		}
		o := doctor.Options{Config: c, PluginDir: plugins, Now: time.Now(),
			Operations: func(ctx context.Context, f func(control.Operations) error) error { return e.operations(ctx, f) }}
		if c.CNIConfDir != "" {
			o.ConfList = node.ConfListPath(c)
		}
		report := doctor.Examine(cmd.Context(), o)
		if err := printAs(cmd.OutOrStdout(), *format, report, func(w io.Writer) error { return doctorText(w, report) }); err != nil {
			return err
		}
		switch {
		case len(report.Findings) > 0:
			return doctorFound
		case len(report.Unseen) > 0:
			return doctorBlind
		}
		return nil
	}
	cmd.Annotations = map[string]string{ownStatus: ""}
	return cmd
}

func doctorText(w io.Writer, r doctor.Report) error {
	for _, f := range r.Findings {
		fmt.Fprintf(w, "%s: %s\n  why:    %s\n  repair: %s\n", f.Check, f.What, f.Why, f.Repair)
	}
	for _, u := range r.Unseen {
		fmt.Fprintf(w, "not looked at: %s: %s\n", u.Check, u.Why)
	}
	if r.Healthy {
		_, err := fmt.Fprintf(w, "healthy: %d checks found nothing\n", r.Checks)
		return err
	}
	_, err := fmt.Fprintf(w, "%d findings\n", len(r.Findings))
	return err
}
