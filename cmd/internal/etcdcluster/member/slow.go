package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's side of seccomp's notifications (seccomp_unotify(2)).
type notification struct {
	id         uint64
	pid, flags uint32
	data       [64]byte
}

type response struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

const (
	filterMode   = 1 // SECCOMP_SET_MODE_FILTER
	allThreads   = 1 << 0
	newListener  = 1 << 3
	threadsError = 1 << 4
	allow        = 0x7fff0000
	notify       = 0x7fc00000
	proceed      = 1          // SECCOMP_USER_NOTIF_FLAG_CONTINUE
	receive      = 0xc0502100 // SECCOMP_IOCTL_NOTIF_RECV
	send         = 0xc0182101 // SECCOMP_IOCTL_NOTIF_SEND
)

// slow has each fsync and fdatasync of this process wait for as long as a file says,
// if there is one, and be done then: a disk that is late, in front of the real one.
func slow(file string) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_FSYNC, Jt: 2},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_FDATASYNC, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: allow},
		{Code: unix.BPF_RET | unix.BPF_K, K: notify},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, filterMode, allThreads|newListener|threadsError, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	go answer(int(fd), file)
	return nil
}

// answer lets calls pass one after the other: what waits for a disk waits in line.
func answer(fd int, file string) {
	for {
		var n notification
		if err := ioctl(fd, receive, unsafe.Pointer(&n)); errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) {
			continue
		} else if err != nil {
			fmt.Fprintln(os.Stderr, "receive a sync:", err)
			os.Exit(1)
		}
		if text, err := os.ReadFile(file); err == nil {
			late, _ := time.ParseDuration(strings.TrimSpace(string(text)))
			time.Sleep(late)
		}
		r := response{id: n.id, flags: proceed}
		if err := ioctl(fd, send, unsafe.Pointer(&r)); err != nil && !errors.Is(err, unix.ENOENT) { // else its thread is gone
			fmt.Fprintln(os.Stderr, "let a sync pass:", err)
			os.Exit(1)
		}
	}
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
