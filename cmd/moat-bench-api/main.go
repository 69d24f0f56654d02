// Command moat-bench-api measures the REST API over an etcd on disk, in one
// process and over the loopback: creates, GETs of one object, and lists of a
// tenant's objects among few and among many. It exits with 1 when a limit that
// was given is not kept.
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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "moat-bench-api:", err)
		os.Exit(1)
	}
}

type options struct {
	dir              string
	objects, listed  int
	writers, readers int
	each             time.Duration
	rounds           int
	maxRatio         float64
	maxGetP99        time.Duration
}

// errLimits is returned when a limit was not kept.
var errLimits = errors.New("a limit was not kept")

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := onDisk(o.dir); err != nil {
		return err
	}
	r, err := measure(ctx, o, progress)
	if err != nil {
		return err
	}
	return r.print(out, o)
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("moat-bench-api", flag.ContinueOnError)
	flags.StringVar(&o.dir, "dir", ".", "folder on a disk, below which etcd's data lies while this runs")
	flags.IntVar(&o.objects, "objects", 100_000, "routers when there are many")
	flags.IntVar(&o.listed, "listed", 1_000, "routers of the tenant that is listed, which are all when there are few")
	flags.IntVar(&o.writers, "writers", 64, "clients that create")
	flags.IntVar(&o.readers, "readers", 4, "clients that GET")
	flags.DurationVar(&o.each, "time", 5*time.Second, "how long GETs are measured")
	flags.IntVar(&o.rounds, "lists", 200, "lists that are measured, by one client")
	flags.Float64Var(&o.maxRatio, "max-ratio", 0, "greatest ratio of the list among many to that among few, by medians; 0: any")
	flags.DurationVar(&o.maxGetP99, "max-get-p99", 0, "greatest 99th percentile of GET among many; 0: any")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	case o.listed < 1 || o.objects < o.listed || o.writers < 1 || o.readers < 1 || o.rounds < 1 || o.each <= 0:
		return o, errors.New("counts and times must be positive, and --objects at least --listed")
	}
	return o, nil
}
