package command

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/cmd/moat/internal/node"
)

// backup and restore read the configuration as the daemon does: they work on its
// etcd and its data directory, not at its socket.
func (e *env) backup() *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Write all records, and this node's credentials and notes, to a file",
		Long: "Write the installation's keys in etcd as they are at one revision, and the files of\nthis node's data directory, to a file of mode 0600. The daemon may run. Give the\nflags, or the --config, that the daemon has.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onStore(func(c config.Config, log *slog.Logger) error {
				return node.Backup(cmd.Context(), c, log, args[0], cmd.OutOrStdout())
			})
		},
	}
}

func (e *env) restore() *cobra.Command {
	var o node.RestoreOptions
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Put back what `moat backup` wrote, while no daemon runs",
		Long: "Put the keys and files of a backup into etcd and the data directory. No daemon may\nrun; pods may, and go on. The file is checked before anything is changed. Give the\nflags, or the --config, that the daemon has.",
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&o.Force, "force", false, "replace an installation that is there")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "say what would be done, and change nothing")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return e.onStore(func(c config.Config, log *slog.Logger) error {
			return node.Restore(cmd.Context(), c, log, args[0], o, cmd.OutOrStdout())
		})
	}
	return cmd
}

func (e *env) onStore(f func(config.Config, *slog.Logger) error) error {
	c, err := e.flags.Config()
	if err != nil {
		return err
	}
	log, err := e.logger(c)
	if err != nil {
		return err
	}
	return f(c, log)
}
