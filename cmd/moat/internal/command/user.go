package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/effect"
)

// user edits the users file of this machine. A running daemon sees each change
// at once.
func (e *env) user() *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Add, list and remove users of the REST API"}
	list := &cobra.Command{Use: "list", Short: "List users, without the built-in admin", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := e.flags.Config()
		if err != nil {
			return err
		}
		users, err := auth.ReadUsers(c.Users.File)
		if err != nil {
			return err
		}
		return userTable(cmd.OutOrStdout(), users)
	}}
	remove := &cobra.Command{Use: "remove NAME", Short: "Remove a user; their tokens end", Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		c, err := e.flags.Config()
		if err != nil {
			return err
		}
		return auth.RemoveUser(c.Users.File, args[0])
	}}
	cmd.AddCommand(e.addUser(), list, remove)
	return cmd
}

func (e *env) addUser() *cobra.Command {
	var u auth.User
	var passwordFile string
	var replace bool
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add a user",
		Long: "Add a user of the REST API. The password comes from --password-file, from the\nterminal, or from the first line of what is piped in.",
		Args: cobra.ExactArgs(1),
	}
	set := cmd.Flags()
	set.StringVar((*string)(&u.Role), "role", "", "admin, tenant_admin (their tenant alone) or tenant_user (reads their tenant)")
	set.StringVar((*string)(&u.Tenant), "tenant", "", "the user's tenant; an admin needs none")
	set.StringVar(&passwordFile, "password-file", "", "file with the password")
	set.BoolVar(&replace, "replace", false, "change the user of that name; their tokens end")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := e.flags.Config()
		if err != nil {
			return err
		}
		u.Name = args[0]
		if u.Name == config.BuiltinUser {
			return fmt.Errorf("user %s is built in: the password is in %s", u.Name, filepath.Join(c.DataDir, "admin.password"))
		}
		if err := refuseKnown(c.Users.File, u, replace); err != nil {
			return err
		}
		password, err := newPassword(cmd, passwordFile)
		if err != nil {
			return err
		}
		if u.Hash, err = auth.Hash(password); err != nil {
			return err
		}
		err = effect.Do(effect.File, "create the folder of the users file", func() error { return os.MkdirAll(filepath.Dir(c.Users.File), 0o700) })
		if err != nil {
			return fmt.Errorf("users file: %w", err)
		}
		return auth.AddUser(c.Users.File, u, replace)
	}
	return cmd
}

// refuseKnown says what is wrong before a password is asked for. It decides
// nothing: adding does.
func refuseKnown(path string, u auth.User, replace bool) error {
	if err := u.Valid(); err != nil {
		return err
	}
	users, err := auth.ReadUsers(path)
	if err != nil {
		return err
	}
	for _, o := range users {
		if o.Name == u.Name && !replace {
			return fmt.Errorf("user %s: %w; --replace changes it", u.Name, sdn.ErrExists)
		}
	}
	return nil
}

func newPassword(cmd *cobra.Command, file string) (string, error) {
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		defer f.Close()
		return firstLine(f)
	}
	in := cmd.InOrStdin()
	terminal, is := in.(*os.File)
	if !is || !isTerminal(terminal) {
		return firstLine(in)
	}
	password, err := askHidden(cmd.Context(), terminal, cmd.ErrOrStderr(), "Password: ")
	if err != nil {
		return "", err
	}
	again, err := askHidden(cmd.Context(), terminal, cmd.ErrOrStderr(), "Again: ")
	if err != nil {
		return "", err
	}
	if password != again {
		return "", errors.New("the passwords differ")
	}
	return password, nil
}

func userTable(w io.Writer, users []auth.User) error {
	tw := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "USER\tROLE\tTENANT")
	for _, u := range users {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", u.Name, u.Role, u.Tenant)
	}
	return tw.Flush()
}
