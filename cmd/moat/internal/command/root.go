package command

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/cmd/moat/internal/node"
)

// Run carries out one command line.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:           "moat",
		Short:         "A network of its own for every Kubernetes namespace",
		Version:       node.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	e := &env{flags: config.AddFlags(root.PersistentFlags()), stderr: stderr}
	root.AddCommand(e.daemons()...)
	root.AddCommand(e.cni(), e.status(), e.tenant(), e.user(), e.provider(), e.topology(), e.doctor(), e.ip(), e.backup(), e.restore(), e.down(), version())
	plainly(root)
	cmd, err := root.ExecuteContextC(ctx)
	return e.withStatus(cmd, err)
}

// env is what every command needs.
type env struct {
	flags  *config.Flags
	stderr io.Writer
}

func (e *env) logger(c config.Config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, fmt.Errorf("log.level: %w", err)
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(e.stderr, opts)), nil
	}
	return slog.New(slog.NewTextHandler(e.stderr, opts)), nil
}

// daemons are the long-running commands: everything at once, or one part.
func (e *env) daemons() []*cobra.Command {
	var list []*cobra.Command
	for _, d := range []struct {
		use, short string
		run        func(context.Context, config.Config, *slog.Logger) error
	}{
		{"up", "Run SDN server, engine and agent in one process", node.Up},
		{"sdn", "Run the SDN server alone: the REST API over etcd", node.SDN},
		{"engine", "Run the Linux engine alone, over the same etcd as the SDN server", node.Engine},
		{"agent", "Run the node agent alone, over etcd and a REST API", node.Agent},
	} {
		list = append(list, &cobra.Command{Use: d.use, Short: d.short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := e.flags.Config()
			if err != nil {
				return err
			}
			log, err := e.logger(c)
			if err != nil {
				return err
			}
			return d.run(cmd.Context(), c, log)
		}})
	}
	return list
}

// cni answers one CNI call in this process, for "standalone": true.
func (e *env) cni() *cobra.Command {
	return &cobra.Command{Use: "cni", Short: "Answer one CNI call without a daemon (started by moat-cni)", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		if status := node.Standalone(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), e.stderr); status != 0 {
			return exitStatus(status)
		}
		return nil
	}}
}

// operations runs f with the daemon's operations, or, where --endpoint and
// --etcd-endpoints are given, with those of this process.
func (e *env) operations(ctx context.Context, f func(control.Operations) error) error {
	c, err := e.flags.Config()
	if err != nil {
		return err
	}
	if len(c.Endpoint.URLs) == 0 {
		return f(control.NewClient(control.SocketFor(c.Socket)))
	}
	if len(c.Etcd.Endpoints) == 0 {
		return fmt.Errorf("--endpoint needs --etcd-endpoints too: tenants' records are there")
	}
	log, err := e.logger(c)
	if err != nil {
		return err
	}
	return node.Direct(ctx, c, log, f)
}

// exitStatus ends the process without another word: what had to be said is on
// stdout.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// ExitCode is the process's exit status.
func (e exitStatus) ExitCode() int { return int(e) }
