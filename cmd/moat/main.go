// Command moat is Moat's daemon and its CLI: `moat up` runs everything that one
// machine needs, the other commands ask it, or do its work in one process.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/moatnet/moat/cmd/moat/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	var silent interface{ ExitCode() int }
	switch {
	case err == nil:
	case errors.As(err, &silent):
		os.Exit(silent.ExitCode())
	default:
		fmt.Fprintln(os.Stderr, "moat:", err)
		os.Exit(1)
	}
}
