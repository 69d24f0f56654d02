package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/moatnet/moat/cmd/moat/internal/node"
)

// plainly makes a command and those below it say what is wrong with a command
// line in a sentence, with what is right: a command that has others below it
// refuses what is none of them, instead of printing its help as if all were well.
func plainly(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see: %s --help", err, cmd.CommandPath())
	})
	for _, below := range cmd.Commands() {
		plainly(below)
	}
	switch {
	case cmd.HasSubCommands() && !cmd.Runnable():
		cmd.Args, cmd.DisableFlagsInUseLine, cmd.SuggestionsMinimumDistance = cobra.ArbitraryArgs, true, 2
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		}
	case cmd.Args != nil:
		right := cmd.Args
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if right(cmd, args) == nil && !slices.Contains(args, "") {
				return nil
			}
			return fmt.Errorf("%s were given; the command is: %s", arguments(args), strings.TrimSuffix(cmd.UseLine(), " [flags]"))
		}
	}
}

func arguments(args []string) string {
	switch len(args) {
	case 0:
		return "no arguments"
	case 1:
		if args[0] == "" {
			return "empty arguments"
		}
		return fmt.Sprintf("too many arguments (%q)", args[0])
	}
	return fmt.Sprintf("%d arguments (%s)", len(args), strings.Join(args, " "))
}

func unknownCommand(cmd *cobra.Command, name string) error {
	var known []string
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() {
			known = append(known, below.Name())
		}
	}
	slices.Sort(known)
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("%s has no command %q; did you mean %s?", cmd.CommandPath(), name, strings.Join(near, " or "))
	}
	return fmt.Errorf("%s has no command %q, but: %s", cmd.CommandPath(), name, strings.Join(known, ", "))
}

// output adds the flag for the form of the answer, the first one by default.
func output(flags *pflag.FlagSet, forms ...string) *string {
	o := &oneOf{value: forms[0], of: forms}
	flags.VarP(o, "output", "o", strings.Join(forms, " or "))
	return &o.value
}

// oneOf is a flag that takes one of some values.
type oneOf struct {
	value string
	of    []string
}

func (o *oneOf) String() string { return o.value }
func (o *oneOf) Type() string   { return "form" }

func (o *oneOf) Set(value string) error {
	if !slices.Contains(o.of, value) {
		return fmt.Errorf("want %s", strings.Join(o.of, " or "))
	}
	o.value = value
	return nil
}

// version says which Moat this is, as --version does.
func version() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Say which version of Moat this is", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "moat version %s\n", node.Version)
		return err
	}}
}
