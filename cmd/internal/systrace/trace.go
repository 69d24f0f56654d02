package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// follower follows a process; one thread makes all its calls, the tracer.
type follower struct {
	pid      int
	pidfd    int
	out      io.Writer
	stopping atomic.Bool
	threads  map[int]*call // by thread, the call that it is in, if that changes something
	leaving  bool
}

const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE

// seize follows all threads; a new one is followed by its parent's options, and may
// be found in the list as well.
func (f *follower) seize() error {
	for found := true; found; {
		found = false
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", f.pid))
		if err != nil {
			return err
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil {
				return err
			}
			if _, known := f.threads[tid]; known {
				continue
			}
			found = true
			f.threads[tid] = nil
			if err := ptrace(unix.PTRACE_SEIZE, tid, 0, options); err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("seize thread %d: %w", tid, err) // EPERM: it is followed already
			}
			if err := ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("interrupt thread %d: %w", tid, err)
			}
		}
	}
	return nil
}

func (f *follower) follow() error {
	for {
		var status unix.WaitStatus
		tid, err := unix.Wait4(-1, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			return nil
		case err != nil:
			return err
		}
		if status.Exited() || status.Signaled() {
			delete(f.threads, tid)
			continue
		}
		if _, known := f.threads[tid]; !known { // a new one makes itself known by its first stop
			f.threads[tid] = nil
		}
		if err := f.leave(); err != nil {
			return err
		}
		if err := f.step(tid, status); err != nil && !errors.Is(err, unix.ESRCH) { // killed meanwhile
			return err
		}
	}
}

// leave stops every thread, once, when it is time, so that it can be let go.
func (f *follower) leave() error {
	if f.leaving || !f.stopping.Load() {
		return nil
	}
	f.leaving = true
	for tid := range f.threads {
		if err := ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

// step looks at a thread that stopped, and has it go on.
func (f *follower) step(tid int, status unix.WaitStatus) error {
	signal, event := status.StopSignal(), int(status)>>16
	deliver := uintptr(0)
	switch {
	case signal == unix.SIGTRAP|0x80:
		if err := f.syscall(tid); err != nil {
			return err
		}
	case event == 0:
		deliver = uintptr(signal)
	}
	if f.leaving {
		delete(f.threads, tid)
		return ptrace(unix.PTRACE_DETACH, tid, 0, deliver)
	}
	return ptrace(unix.PTRACE_SYSCALL, tid, 0, deliver)
}

// syscallInfo is struct ptrace_syscall_info of linux/ptrace.h.
type syscallInfo struct {
	Op   uint8
	_    [3]uint8
	Arch uint32
	_    [2]uint64 // instruction and stack pointer
	Data [8]uint64 // of an entry: number and arguments; of an exit: the value
}

func (f *follower) syscall(tid int) error {
	var info syscallInfo
	err := ptrace(unix.PTRACE_GET_SYSCALL_INFO, tid, unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)))
	if err != nil {
		return err
	}
	switch info.Op {
	case unix.PTRACE_SYSCALL_INFO_ENTRY:
		f.threads[tid] = f.entered(info.Data)
	case unix.PTRACE_SYSCALL_INFO_EXIT:
		if c, value := f.threads[tid], int64(info.Data[0]); c != nil && !begunAgain(value) {
			if value < 0 {
				c.what = unix.ErrnoName(syscall.Errno(-value))
			}
			if _, err := fmt.Fprintln(f.out, c); err != nil {
				return err
			}
		}
		f.threads[tid] = nil
	}
	return nil
}

// begunAgain says whether a call ended with one of the errors of linux/errno.h by which
// the kernel makes the thread call once more, having done nothing: a signal came, or,
// for sysctls of interfaces, somebody else has the lock of all interfaces, for which
// the kernel does not sleep but tries hundreds of times.
func begunAgain(value int64) bool { return value <= -512 && value >= -516 && value != -515 }

func ptrace(request, tid int, addr, data uintptr) error {
	if _, _, e := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0); e != 0 {
		return syscall.Errno(e)
	}
	return nil
}
