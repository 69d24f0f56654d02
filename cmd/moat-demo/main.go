// Command moat-demo shows Moat on this machine in a host of its own: it starts
// the daemon in a fresh network namespace, makes pods of two tenants through the
// plugin binary, sends real packets, prints what passed and what did not, and
// removes everything. Its exit status is 1 if any row is not as it should be.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/moatnet/moat/cmd/internal/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "moat-demo:", err)
		os.Exit(1)
	}
}

// errRows says that a row of the table is red.
var errRows = errors.New("not every row is as it should be")

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("moat-demo", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "folder of moat and moat-cni")
	sabotage := flags.String("sabotage", "", "break something behind Moat's back before the probes: flush (its nftables) or cut (a pod's veth)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("network namespaces are made by root only; try: sudo make demo")
	}
	l, err := lab.New()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	s, err := newStage(ctx, l, *bin, out)
	if err != nil {
		return err
	}
	if err := s.sabotage(*sabotage); err != nil {
		return err
	}
	green, err := s.table(ctx)
	if err != nil {
		return err
	}
	if err := s.topology(ctx); err != nil {
		return err
	}
	if err := s.remove(ctx); err != nil {
		return err
	}
	if !green {
		return errRows
	}
	return nil
}

// step prints what is going on and how long it took.
func (s *stage) step(what string, f func() error) error {
	fmt.Fprintf(s.out, "· %s … ", what)
	start := time.Now()
	if err := f(); err != nil {
		fmt.Fprintln(s.out, "failed")
		return fmt.Errorf("%s: %w", what, err)
	}
	fmt.Fprintf(s.out, "%d ms\n", time.Since(start).Milliseconds())
	return nil
}
