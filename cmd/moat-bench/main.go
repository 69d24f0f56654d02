// Command moat-bench times ADD and DEL of Moat against those of the reference
// plugins bridge and host-local, call by call in turn, all through libcni in a
// network namespace of its own, and prints medians, 99th percentiles, CPU time
// per call and ratios.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv(inside) == "" {
		os.Exit(again(ctx))
	}
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "moat-bench:", err)
		os.Exit(1)
	}
}

// inside is set in the environment of the process that measures: it lives in a
// network namespace of its own as a whole, because changing a thread's namespace
// for each call would be measured, too.
const inside = "MOAT_BENCH_INSIDE"

// onDisk refuses a folder where fsync costs nothing: a ratio that was measured
// there would say nothing of Moat, which waits for the disk.
func onDisk(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("--dir %s: %w", dir, err)
	}
	switch fs.Type {
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		return fmt.Errorf("--dir %s is in memory (tmpfs), where fsync costs nothing; name a folder on a disk", dir)
	}
	return nil
}

// again runs this program once more in a new network namespace.
func again(ctx context.Context) int {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "moat-bench: make a network namespace:", err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

type options struct {
	bin, ref, dir string
	rounds        int
	ratio         float64
}

func run(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	var o options
	flags := flag.NewFlagSet("moat-bench", flag.ContinueOnError)
	flags.StringVar(&o.bin, "bin", "bin", "folder of moat and moat-cni")
	flags.StringVar(&o.ref, "ref", "", "folder of bridge and host-local; default: reference/ in --bin")
	flags.StringVar(&o.dir, "dir", "/var/tmp", "folder on a disk, below which the daemon's data and the reference's leases are kept while this runs")
	flags.IntVar(&o.rounds, "n", 100, "rounds")
	flags.Float64Var(&o.ratio, "max-ratio", 0, "exit with 1 when the ratio of ADD or DEL medians is above this; 0: never")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.ref == "" {
		o.ref = filepath.Join(o.bin, "reference")
	}
	if o.rounds < 1 {
		return fmt.Errorf("-n %d: at least one round is needed", o.rounds)
	}
	if err := onDisk(o.dir); err != nil {
		return err
	}
	l, err := lab.NewIn(o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return o.measure(ctx, l, out, progress)
}

func (o options) measure(ctx context.Context, l *lab.Lab, out, progress io.Writer) error {
	if err := lab.Up("lo"); err != nil {
		return err
	}
	fmt.Fprintln(progress, "starting moat …")
	daemon := &lab.Daemon{Bin: o.bin, Dir: l.Dir, Args: []string{"--name", "bench", "--mtu", "1500"}}
	l.Defer(daemon.Stop)
	if err := daemon.Start(ctx); err != nil {
		return err
	}
	l.Defer(func() error { return takeDown(ctx, daemon) })
	moat, err := daemon.Runtime()
	if err != nil {
		return err
	}
	ref, err := reference(l.Dir, o.ref)
	if err != nil {
		return err
	}
	b := &bench{lab: l, sides: [2]*side{{name: "moat", rt: moat, daemon: daemon}, {name: "reference", rt: ref}}}
	if err := b.rounds(ctx, o.rounds, progress); err != nil {
		return err
	}
	b.print(out)
	return b.verdict(o.ratio)
}

func takeDown(ctx context.Context, d *lab.Daemon) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	out, err := d.CLI(ctx, "down", "--yes")
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// reference writes a configuration of the reference plugins with what Moat
// does too: a gateway on the bridge, one address, a default route.
func reference(dir, bin string) (*lab.Runtime, error) {
	conf := fmt.Sprintf(`{"cniVersion":"1.0.0","name":"ref","plugins":[{"type":"bridge","bridge":"ref0","isGateway":true,
"ipam":{"type":"host-local","dataDir":%q,"ranges":[[{"subnet":"10.99.0.0/22"}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}`,
		filepath.Join(dir, "ref-ipam"))
	file := filepath.Join(dir, "ref.conflist")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	return lab.NewRuntime(file, bin, filepath.Join(dir, "ref-cache"), nil)
}

type side struct {
	name     string
	rt       *lab.Runtime
	daemon   *lab.Daemon // nil: none
	add, del series
	lost     int // first packets without an answer
}

type bench struct {
	lab   *lab.Lab
	sides [2]*side
}

// warmup rounds are not counted: they make the tenant and the bridges.
const warmup = 5

func (b *bench) rounds(ctx context.Context, n int, progress io.Writer) error {
	for i := range n + warmup {
		for turn := range b.sides {
			s := b.sides[(i+turn)%len(b.sides)]
			if err := b.round(ctx, s, i); err != nil {
				return fmt.Errorf("%s, round %d: %w", s.name, i, err)
			}
			if i < warmup {
				s.add, s.del, s.lost = series{}, series{}, 0
			}
		}
		if (i+1)%25 == 0 {
			fmt.Fprintf(progress, "%d of %d rounds\n", i+1, n+warmup)
		}
	}
	return nil
}

func (b *bench) round(ctx context.Context, s *side, i int) error {
	pod, err := b.lab.NewPod("bench", fmt.Sprintf("%s%d", s.name, i))
	if err != nil {
		return err
	}
	if err := s.add.time(s.daemon, func() error { return s.rt.Add(ctx, pod) }); err != nil {
		return fmt.Errorf("ADD: %w", err)
	}
	if err := b.firstPacket(pod); err != nil {
		s.lost++
	}
	if err := s.del.time(s.daemon, func() error { return s.rt.Del(ctx, pod) }); err != nil {
		return fmt.Errorf("DEL: %w", err)
	}
	return pod.Remove()
}

// firstPacket sends one echo request to the gateway, and no second one.
func (b *bench) firstPacket(pod *lab.Pod) error {
	gateway := pod.Gateway
	if gateway == (netip.Addr{}) {
		return errors.New("the result names no gateway")
	}
	return lab.Ping(pod.Namespace, gateway, 500*time.Millisecond)
}
