package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// call is a system call that changes something.
type call struct {
	name string
	on   string // the path, or the kind of socket: "rtnetlink", "nfnetlink", "packet", "http"
	what string // of sockets, what the request begins with; of a call that failed, why
}

func (c call) String() string { return strings.TrimSpace(c.name + " " + c.on + " " + c.what) }

// entered is the call that a thread begins, if it changes something.
func (f *follower) entered(d [8]uint64) *call {
	args := d[1:]
	switch d[0] {
	case unix.SYS_SENDTO, unix.SYS_WRITE:
		name := map[uint64]string{unix.SYS_SENDTO: "sendto", unix.SYS_WRITE: "write"}[d[0]]
		return f.sent(name, int(args[0]), args[1], args[2])
	case unix.SYS_SENDMSG:
		return f.sentMessage(int(args[0]), args[1])
	case unix.SYS_WRITEV, unix.SYS_PWRITE64:
		return f.sent("write", int(args[0]), 0, 0)
	case unix.SYS_OPENAT:
		if args[2]&(unix.O_CREAT|unix.O_TRUNC) == 0 {
			return nil
		}
		return f.onPath("openat", args[1])
	case unix.SYS_UNLINKAT:
		name := "unlinkat"
		if args[2]&unix.AT_REMOVEDIR != 0 {
			name = "rmdir"
		}
		return f.onPath(name, args[1])
	case unix.SYS_MOUNT:
		return f.onPath("mount", args[1])
	case unix.SYS_UMOUNT2:
		return f.onPath("umount2", args[0])
	}
	if at, ok := pathCalls[d[0]]; ok {
		return f.onPath(at.name, args[at.path])
	}
	return nil
}

// pathCalls are calls that change something wherever they lead to, and which of
// their arguments is the path.
var pathCalls = map[uint64]struct {
	name string
	path int
}{
	unix.SYS_MKDIRAT:   {"mkdirat", 1},
	unix.SYS_MKNODAT:   {"mknodat", 1},
	unix.SYS_SYMLINKAT: {"symlinkat", 2},
	unix.SYS_LINKAT:    {"linkat", 3},
	unix.SYS_RENAMEAT:  {"renameat", 3},
	unix.SYS_RENAMEAT2: {"renameat2", 3},
	unix.SYS_FCHMODAT:  {"fchmodat", 1},
	unix.SYS_FCHOWNAT:  {"fchownat", 1},
	unix.SYS_TRUNCATE:  {"truncate", 0},
}

// memory reads at most n bytes of the process.
func (f *follower) memory(at, n uint64) []byte {
	b := make([]byte, n)
	got, err := unix.ProcessVMReadv(f.pid, []unix.Iovec{{Base: &b[0], Len: n}}, []unix.RemoteIovec{{Base: uintptr(at), Len: int(n)}}, 0)
	if err != nil {
		return nil
	}
	return b[:got]
}

func (f *follower) onPath(name string, at uint64) *call {
	var path []byte
	for len(path) < unix.PathMax { // up to the next page, as the page behind it may not be there
		b := f.memory(at, 4096-at%4096)
		at += uint64(len(b))
		end := bytes.IndexByte(b, 0)
		if end >= 0 || len(b) == 0 {
			path = append(path, b[:max(end, 0)]...)
			break
		}
		path = append(path, b...)
	}
	return &call{name: name, on: string(path)}
}

// sentMessage looks at the first piece of a message: each of the libraries that Moat uses
// sends one.
func (f *follower) sentMessage(fd int, at uint64) *call {
	msg := f.memory(at, 56)
	if len(msg) < 32 {
		return nil
	}
	iov := f.memory(binary.NativeEndian.Uint64(msg[16:]), 16)
	if len(iov) < 16 {
		return nil
	}
	return f.sent("sendmsg", fd, binary.NativeEndian.Uint64(iov), binary.NativeEndian.Uint64(iov[8:]))
}

// maxRequest is how much of a request is looked at.
const maxRequest = 256 << 10

func (f *follower) sent(name string, fd int, at, n uint64) *call {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", f.pid, fd))
	if err != nil {
		return nil
	}
	if !strings.HasPrefix(path, "socket:") {
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "/dev/") || fd == 2 {
			return nil // pipes, events and the log
		}
		return &call{name: name, on: path}
	}
	domain, protocol, err := f.socket(fd)
	if err != nil || n == 0 {
		return nil
	}
	data := f.memory(at, min(n, maxRequest))
	on, what := "", ""
	switch {
	case domain == unix.AF_NETLINK && protocol == unix.NETLINK_ROUTE:
		on, what = "rtnetlink", changes(data, func(kind uint16) bool { return kind >= unix.RTM_BASE && kind%4 != unix.RTM_GETLINK%4 })
	case domain == unix.AF_NETLINK && protocol == unix.NETLINK_NETFILTER:
		on, what = "nfnetlink", changes(data, func(kind uint16) bool { return kind == unix.NFNL_MSG_BATCH_BEGIN })
	case domain == unix.AF_PACKET:
		on, what = "packet", fmt.Sprint(n)
	case domain == unix.AF_INET || domain == unix.AF_INET6 || domain == unix.AF_UNIX:
		on, what = "http", writing(data)
	}
	if what == "" {
		return nil
	}
	return &call{name: name, on: on, what: what}
}

// socket asks a copy of the process's socket what it is.
func (f *follower) socket(fd int) (domain, protocol int, err error) {
	mine, err := unix.PidfdGetfd(f.pidfd, fd, 0)
	if err != nil {
		return 0, 0, err
	}
	defer unix.Close(mine)
	if domain, err = unix.GetsockoptInt(mine, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil {
		return 0, 0, err
	}
	protocol, err = unix.GetsockoptInt(mine, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	return domain, protocol, err
}

// changes names the messages of a netlink request that change something.
func changes(data []byte, change func(kind uint16) bool) string {
	var found []string
	for len(data) >= unix.NLMSG_HDRLEN {
		n, kind := binary.NativeEndian.Uint32(data), binary.NativeEndian.Uint16(data[4:])
		if change(kind) {
			found = append(found, fmt.Sprint(kind))
		}
		n = (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1)
		if n < unix.NLMSG_HDRLEN || int(n) > len(data) {
			break
		}
		data = data[n:]
	}
	return strings.Join(found, " ")
}

// writing is the first line of a request of HTTP/1.1 that may change something.
func writing(data []byte) string {
	line, _, _ := bytes.Cut(data[:min(len(data), 300)], []byte("\r\n"))
	for _, method := range []string{"POST ", "PUT ", "DELETE ", "PATCH "} {
		if bytes.HasPrefix(line, []byte(method)) {
			return string(line)
		}
	}
	return ""
}
