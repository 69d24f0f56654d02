package command

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/moatnet/moat/cmd/moat/internal/control"
)

// Exit statuses of the commands about addresses.
const (
	// ipRefused: the answer is no; an audit has findings, nobody holds the address,
	// or somebody does.
	ipRefused exitStatus = 1
	// ipFailed: it could not be found out, or what was asked is wrong.
	ipFailed exitStatus = 2
)

func (e *env) usage(format *string) *cobra.Command {
	return &cobra.Command{Use: "usage", Short: "Tell how much of tenants' subnets and of pools is in use", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return e.operations(cmd.Context(), func(ops control.Operations) error {
			list, err := ops.Usage(cmd.Context())
			if err != nil {
				return err
			}
			return printAs(cmd.OutOrStdout(), *format, list, func(w io.Writer) error { return usageTable(w, list) })
		})
	}}
}

func (e *env) audit(format *string) *cobra.Command {
	var r control.AuditRequest
	cmd := &cobra.Command{Use: "audit", Args: cobra.NoArgs,
		Short: "Compare leases with attachments, ports and interfaces",
		Long: "Compare leases with attachments, ports and, on the daemon's node, pods and interfaces.\n" +
			"Exit status: 0 nothing is wrong, or all is repaired; 1 something is wrong; 2 it could not be found out."}
	cmd.Flags().BoolVar(&r.Repair, "repair", false, "repair what can be repaired; nothing is taken from a living pod")
	cmd.Flags().BoolVar(&r.DropUnreadable, "drop-unreadable", false, "with --repair: remove records that this version cannot read")
	cmd.Flags().BoolVar(&r.Node, "node", true, "look at pods and interfaces of the daemon's node, too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if r.DropUnreadable && !r.Repair {
			return errors.New("--drop-unreadable needs --repair")
		}
		return e.operations(cmd.Context(), func(ops control.Operations) error {
			report, err := ops.Audit(cmd.Context(), r)
			if err != nil {
				return err
			}
			if err := printAs(cmd.OutOrStdout(), *format, report, func(w io.Writer) error { return auditText(w, report) }); err != nil {
				return err
			}
			if report.Left() > 0 {
				return ipRefused
			}
			return nil
		})
	}
	return cmd
}

// ownStatus marks a command whose exit status 1, and that of its subcommands, is an
// answer.
const ownStatus = "own exit status"

// withStatus turns the error of a command that has been marked into its own.
func (e *env) withStatus(cmd *cobra.Command, err error) error {
	var status exitStatus
	if err == nil || errors.As(err, &status) || !marked(cmd) {
		return err
	}
	fmt.Fprintln(e.stderr, "moat:", err)
	if errors.Is(err, control.ErrNotFound) || errors.Is(err, control.ErrInUse) {
		return ipRefused
	}
	return ipFailed
}

func marked(cmd *cobra.Command) bool {
	for ; cmd != nil; cmd = cmd.Parent() {
		if _, is := cmd.Annotations[ownStatus]; is {
			return true
		}
	}
	return false
}
