package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/google/uuid"
)

// instances tells processes of this node from one another, so that it can be
// proven that one has ended: by boot, namespace of process IDs, process ID and the
// time at which it was started (proc_pid_stat(5)).
type instances struct {
	boot string
	pids string // link of /proc/self/ns/pid
	proc string // where the process file system is
}

const instanceFields = 5

func newInstances(boot string) (instances, error) {
	pids, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return instances{}, fmt.Errorf("read the namespace of process IDs: %w", err)
	}
	return instances{boot: boot, pids: pids, proc: "/proc"}, nil
}

// own is the name of this process's next instance.
func (i instances) own() (string, error) {
	pid := fmt.Sprint(os.Getpid())
	started, _, err := i.started(pid)
	if err != nil {
		return "", fmt.Errorf("read when this process was started: %w", err)
	}
	return strings.Join([]string{i.boot, i.pids, pid, started, uuid.NewString()}, "/"), nil
}

// gone says whether it is proven that an instance's process has ended.
func (i instances) gone(instance string) bool {
	f := strings.Split(instance, "/")
	switch {
	case len(f) != instanceFields:
		return false
	case f[0] != i.boot:
		return true
	case f[1] != i.pids:
		return false
	}
	started, ended, err := i.started(f[2])
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(i.proc + "/self") // else processes cannot be seen at all
		return err == nil
	}
	return err == nil && (ended || started != f[3])
}

// started is when a process was started, in clock ticks after the boot; ended says
// that it waits for its parent only.
func (i instances) started(pid string) (ticks string, ended bool, err error) {
	b, err := os.ReadFile(i.proc + "/" + pid + "/stat")
	if err != nil {
		return "", false, err
	}
	// Behind the name in parentheses, which may hold anything: state is the
	// first field, the start the 20th.
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 20 {
		return "", false, fmt.Errorf("/proc/%s/stat has %d fields behind the name, 20 are wanted", pid, len(f))
	}
	return f[19], f[0] == "Z" || f[0] == "X", nil
}
