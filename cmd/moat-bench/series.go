package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// series holds wall and CPU time of the calls of one kind.
type series struct{ wall, cpu []time.Duration }

// time runs call and notes its wall time and the CPU time that the plugins'
// processes, and the daemon, spent meanwhile.
func (s *series) time(d *lab.Daemon, call func() error) error {
	before, err := spent(d)
	if err != nil {
		return err
	}
	start := time.Now()
	failed := call()
	wall := time.Since(start)
	after, err := spent(d)
	s.wall = append(s.wall, wall)
	s.cpu = append(s.cpu, after-before)
	return errors.Join(failed, err)
}

// spent is the CPU time of all child processes that have ended, and of a daemon.
func spent(d *lab.Daemon) (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		return 0, fmt.Errorf("CPU time of the plugins: %w", err)
	}
	ended := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	if d == nil {
		return ended, nil
	}
	running, err := cpuTime(d.Pid())
	return ended + running, err
}

// cpuTime is what a process has spent in all its threads, also in those that have
// ended: the sum of utime and stime in proc(5) stat, but in nanoseconds instead
// of ticks, by the process's CPU clock (clock_getcpuclockid(3)).
func cpuTime(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED of linux/posix-timers.h, for a whole process
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// percentile is the p-th of sorted values, nearest rank.
func percentile(values []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*p + 99) / 100 // rounded up, counted from 1
	return sorted[max(rank, 1)-1]
}

func mean(values []time.Duration) time.Duration {
	var sum time.Duration
	for _, v := range values {
		sum += v
	}
	return sum / time.Duration(max(1, len(values)))
}

func (b *bench) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(w, "call\tby\tp50 ms\tp99 ms\tCPU ms\tfirst packets lost")
	for _, s := range b.sides {
		fmt.Fprintf(w, "ADD\t%s\t%s\t%s\t%s\t%d of %d\n", s.name, ms(percentile(s.add.wall, 50)), ms(percentile(s.add.wall, 99)), ms(mean(s.add.cpu)), s.lost, len(s.add.wall))
	}
	for _, s := range b.sides {
		fmt.Fprintf(w, "DEL\t%s\t%s\t%s\t%s\t\n", s.name, ms(percentile(s.del.wall, 50)), ms(percentile(s.del.wall, 99)), ms(mean(s.del.cpu)))
	}
	_ = w.Flush()
	add, del := b.ratios()
	moat, ref := b.sides[0], b.sides[1]
	fmt.Fprintf(out, "\nratio of medians, moat/reference: ADD %.2f, DEL %.2f; of CPU time: ADD %.2f, DEL %.2f\n",
		add, del, ratio(mean(moat.add.cpu), mean(ref.add.cpu)), ratio(mean(moat.del.cpu), mean(ref.del.cpu)))
}

// ratios are those of the medians.
func (b *bench) ratios() (add, del float64) {
	moat, ref := b.sides[0], b.sides[1]
	return ratio(percentile(moat.add.wall, 50), percentile(ref.add.wall, 50)),
		ratio(percentile(moat.del.wall, 50), percentile(ref.del.wall, 50))
}

// verdict is an error when a first packet was lost, or when a ratio is above
// highest, unless that is 0.
func (b *bench) verdict(highest float64) error {
	for _, s := range b.sides {
		if s.lost > 0 {
			return fmt.Errorf("%s: the first packet of %d of %d pods was lost", s.name, s.lost, len(s.add.wall))
		}
	}
	add, del := b.ratios()
	for _, r := range []struct {
		call string
		is   float64
	}{{"ADD", add}, {"DEL", del}} {
		if highest > 0 && r.is > highest {
			return fmt.Errorf("the median of %s is %.2f of the reference's, more than %.2f", r.call, r.is, highest)
		}
	}
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/1e6) }

func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(1, b)) }
