package dataplane

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Offsets in a netlink message, in bytes.
const (
	typeAt   = 4
	familyAt = unix.SizeofNlMsghdr     // of a message about links or neighbours
	stateAt  = unix.SizeofNlMsghdr + 8 // of a message about neighbours
)

// routeSieve lets pass what routeEvent understands, so that nothing wakes up for
// the rest: the kernel announces each change in a message of its own.
func routeSieve() []unix.SockFilter {
	const accept, refuse, family = 14, 13, 11 // lines
	return []unix.SockFilter{
		0:  {Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: typeAt},
		1:  when(unix.RTM_DELADDR, 1, accept),
		2:  when(unix.RTM_DELROUTE, 2, accept),
		3:  when(unix.RTM_DELRULE, 3, accept),
		4:  when(unix.RTM_NEWLINK, 4, family),
		5:  when(unix.RTM_DELLINK, 5, family),
		6:  {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: wire(unix.RTM_DELNEIGH), Jf: refuse - 7},
		7:  {Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: familyAt},
		8:  {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.AF_BRIDGE, Jf: refuse - 9},
		9:  {Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: stateAt},
		10: {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: wire(unix.NUD_NOARP), Jt: accept - 11, Jf: refuse - 11},
		11: {Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: familyAt},
		12: {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.AF_UNSPEC, Jt: accept - 13},
		13: {Code: unix.BPF_RET | unix.BPF_K},
		14: {Code: unix.BPF_RET | unix.BPF_K, K: ^uint32(0)},
	}
}

// filterSieve lets pass what filterEvent understands.
func filterSieve() []unix.SockFilter {
	return []unix.SockFilter{
		0: {Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: typeAt},
		1: when(newGeneration, 1, 3),
		2: {Code: unix.BPF_RET | unix.BPF_K},
		3: {Code: unix.BPF_RET | unix.BPF_K, K: ^uint32(0)},
	}
}

// when goes from a line to another if the message is of that type.
func when(kind uint16, from, to uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: wire(kind), Jt: to - from - 1}
}

// wire is a number of the machine's byte order as a filter loads it, which takes
// everything for network byte order.
func wire(kind uint16) uint32 {
	return uint32(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, kind)))
}

func sift(fd int, program []unix.SockFilter) error {
	p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &p); err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	return nil
}
