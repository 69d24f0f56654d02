package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

func main() {
	runtime.LockOSThread() // the tracer is a thread
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "systrace:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: systrace PID")
	}
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("PID %q is not a number", args[0])
	}
	f := &follower{pid: pid, out: os.Stdout, threads: map[int]*call{}}
	if f.pidfd, err = unix.PidfdOpen(pid, 0); err != nil {
		return fmt.Errorf("follow process %d: %w", pid, err)
	}
	if err := f.seize(); err != nil {
		return fmt.Errorf("follow process %d: %w", pid, err)
	}
	go f.leaveAtEnd(os.Stdin)
	fmt.Fprintln(f.out, "following")
	return f.follow()
}

// leaveAtEnd has the follower leave when in ends. It wakes it by a signal to the
// process: Go's runtime takes SIGURG as a reason to look for work and no more.
func (f *follower) leaveAtEnd(in io.Reader) {
	_, _ = io.Copy(io.Discard, in)
	f.stopping.Store(true)
	_ = unix.Kill(f.pid, unix.SIGURG) // of a process that ended, the follower knows
}
