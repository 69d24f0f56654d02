package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/moatnet/moat/cmd/moat/internal/control"
)

// pollEvery is how often `status --wait` asks.
const pollEvery = 20 * time.Millisecond

func (e *env) status() *cobra.Command {
	var wait bool
	var timeout time.Duration
	cmd := &cobra.Command{Use: "status", Short: "Say whether an ADD can be served; exit status 0 if so", Args: cobra.NoArgs}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it can")
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "how long to wait at most")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
		defer cancel()
		return e.operations(ctx, func(ops control.Operations) error {
			st, err := ops.Status(ctx)
			for wait && (err != nil || !st.Ready) && pause(ctx) {
				st, err = ops.Status(ctx)
			}
			if err != nil {
				return err
			}
			return printStatus(cmd.OutOrStdout(), st)
		})
	}
	return cmd
}

func pause(ctx context.Context) bool {
	select {
	case <-time.After(pollEvery):
		return true
	case <-ctx.Done():
		return false
	}
}

func printStatus(w io.Writer, st control.Status) error {
	if st.Ready {
		fmt.Fprintf(w, "ready\ninstallation %s (%s)\nREST API     %s\netcd         %s\n", st.Name, st.Installation, st.Listen, st.Etcd)
	}
	for _, warning := range st.Warnings {
		fmt.Fprintln(w, "warning:", warning)
	}
	if !st.Ready {
		return fmt.Errorf("not ready: %s", st.Reason)
	}
	return nil
}

func (e *env) tenant() *cobra.Command {
	cmd := &cobra.Command{Use: "tenant", Short: "Make, show and remove tenants' networks"}
	format := output(cmd.PersistentFlags(), "text", "json")
	one := func(use, short string, f func(context.Context, control.Operations, string) (control.Tenant, error)) *cobra.Command {
		return &cobra.Command{Use: use + " NAME", Short: short, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
			return e.operations(cmd.Context(), func(ops control.Operations) error {
				t, err := f(cmd.Context(), ops, args[0])
				if err != nil {
					return err
				}
				return printAs(cmd.OutOrStdout(), *format, t, func(w io.Writer) error { return tenantTable(w, t) })
			})
		}}
	}
	list := &cobra.Command{Use: "list", Short: "List tenants", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return e.operations(cmd.Context(), func(ops control.Operations) error {
			ts, err := ops.Tenants(cmd.Context())
			if err != nil {
				return err
			}
			return printAs(cmd.OutOrStdout(), *format, ts, func(w io.Writer) error { return tenantTable(w, ts...) })
		})
	}}
	cmd.AddCommand(list, e.deleteTenant(),
		one("create", "Make a tenant's network, or leave it as it is", func(ctx context.Context, ops control.Operations, name string) (control.Tenant, error) {
			return ops.CreateTenant(ctx, name)
		}),
		one("show", "Show a tenant", func(ctx context.Context, ops control.Operations, name string) (control.Tenant, error) {
			return ops.Tenant(ctx, name)
		}))
	return cmd
}

func (e *env) deleteTenant() *cobra.Command {
	var force bool
	cmd := &cobra.Command{Use: "delete NAME", Short: "Remove a tenant's network; no pod may be attached", Args: cobra.ExactArgs(1)}
	cmd.Flags().BoolVar(&force, "force", false, "even while pods are attached: they are cut off first")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return e.operations(cmd.Context(), func(ops control.Operations) error {
			return ops.DeleteTenant(cmd.Context(), args[0], force)
		})
	}
	return cmd
}

func tenantTable(w io.Writer, ts ...control.Tenant) error {
	tw := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "TENANT\tSTATE\tPODS\tPOOL\tSUBNETS\tTRANSIT\tROUTER")
	for _, t := range ts {
		subnets := make([]string, len(t.Subnets))
		for i, p := range t.Subnets {
			subnets[i] = p.String()
		}
		fmt.Fprintf(tw, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", t.Name, t.State, t.Pods, cmp.Or(t.Pool, "(own)"), strings.Join(subnets, ","), t.Transit, t.Router)
	}
	return tw.Flush()
}

func (e *env) provider() *cobra.Command {
	cmd := &cobra.Command{Use: "provider", Short: "Make and show the provider router and its uplink"}
	format := output(cmd.PersistentFlags(), "text", "json")
	sub := func(use, short string, f func(control.Operations, context.Context) (control.Provider, error)) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			return e.operations(cmd.Context(), func(ops control.Operations) error {
				p, err := f(ops, cmd.Context())
				if err != nil {
					return err
				}
				return printAs(cmd.OutOrStdout(), *format, p, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "router  %s\nport    %s\naddress %s\ngateway %s\n", p.Router, p.Port, p.Address, p.Gateway)
					return err
				})
			})
		}}
	}
	cmd.AddCommand(sub("create", "Make the provider router, or leave it as it is", control.Operations.CreateProvider),
		sub("show", "Show the provider router", control.Operations.Provider))
	return cmd
}

func (e *env) topology() *cobra.Command {
	cmd := &cobra.Command{Use: "topology [TENANT]", Short: "Show routers, bridges, ports, links and rules", Args: cobra.MaximumNArgs(1)}
	format := output(cmd.Flags(), "tree", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return e.operations(cmd.Context(), func(ops control.Operations) error {
			t, err := ops.Topology(cmd.Context(), strings.Join(args, ""))
			if err != nil {
				return err
			}
			shown, err := t.Printable()
			if err != nil {
				return err
			}
			return printAs(cmd.OutOrStdout(), *format, shown, t.Tree)
		})
	}
	return cmd
}

func (e *env) down() *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{Use: "down", Short: "Remove all that this installation has made, and end the daemon", Args: cobra.NoArgs}
	cmd.Flags().BoolVar(&yes, "yes", false, "really remove every tenant's network")
	cmd.Flags().BoolVar(&force, "force", false, "even while pods of other nodes are attached")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !yes {
			return errors.New("this cuts off every pod; say --yes to do it (to stop the daemon alone, send it SIGTERM)")
		}
		return e.operations(cmd.Context(), func(ops control.Operations) error { return ops.TakeDown(cmd.Context(), force) })
	}
	return cmd
}

// printAs prints v as JSON, or as text by the command's own printer.
func printAs(w io.Writer, format string, v any, text func(io.Writer) error) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	case "text", "tree":
		return text(w)
	}
	return fmt.Errorf("--output %q is not known", format)
}
