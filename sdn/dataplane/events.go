package dataplane

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/dataplane/rtnl"
)

// hostSpace is the ID of the host's namespace in events.
const hostSpace = -1

// eventBuffer is the size of an event socket's receive buffer, in bytes.
const eventBuffer = 8 << 20

// Events implements Kernel. One socket per protocol, in the host's namespace,
// hears all namespaces that have an ID there (NETLINK_LISTEN_ALL_NSID).
func (k *Linux) Events(ctx context.Context, f func(Event)) error {
	routes, err := k.subscribe(unix.NETLINK_ROUTE, routeSieve(), unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_NEIGH)
	if err != nil {
		return err
	}
	defer routes.Close()
	filters, err := k.subscribe(unix.NETLINK_NETFILTER, filterSieve(), unix.NFNLGRP_NFTABLES)
	if err != nil {
		return err
	}
	defer filters.Close()
	f(Event{Kind: Listening})
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return listen(ctx, routes, routeEvent, f) })
	g.Go(func() error { return listen(ctx, filters, filterEvent, f) })
	return g.Wait()
}

func (k *Linux) subscribe(protocol int, sieve []unix.SockFilter, groups ...int) (f *os.File, err error) {
	err = inside(k.host, func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
		if err != nil {
			return err
		}
		f = os.NewFile(uintptr(fd), "netlink events")
		if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, eventBuffer); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_LISTEN_ALL_NSID, 1); err != nil {
			return err
		}
		if err := sift(fd, sieve); err != nil {
			return err
		}
		for _, g := range groups {
			if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, fmt.Errorf("subscribe to netlink events: %w", err)
	}
	return f, nil
}

// listen reads events until ctx ends.
func listen(ctx context.Context, sock *os.File, parse func(kind uint16, data []byte) (Event, bool), f func(Event)) error {
	stop := context.AfterFunc(ctx, func() { sock.Close() })
	defer stop()
	raw, err := sock.SyscallConn()
	if err != nil {
		return fmt.Errorf("read netlink events: %w", err)
	}
	buf, oob := make([]byte, 64<<10), make([]byte, 256)
	for {
		n, oobn, err := receive(raw, buf, oob)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS):
			f(Event{Kind: EventsLost})
			continue
		case err != nil:
			return fmt.Errorf("read netlink events: %w", err)
		}
		space := spaceOf(oob[:oobn])
		eachMessage(buf[:n], func(kind uint16, data []byte) {
			if e, ok := parse(kind, data); ok {
				e.Space = space
				f(e)
			}
		})
	}
}

type rawReader interface {
	Read(func(fd uintptr) bool) error
}

func receive(raw rawReader, buf, oob []byte) (n, oobn int, err error) {
	rerr := raw.Read(func(fd uintptr) bool {
		n, oobn, _, _, err = unix.Recvmsg(int(fd), buf, oob, unix.MSG_DONTWAIT)
		return !errors.Is(err, unix.EAGAIN)
	})
	return n, oobn, errors.Join(rerr, err)
}

// spaceOf finds the sender's namespace in the control messages.
func spaceOf(oob []byte) int {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return hostSpace
	}
	for _, m := range msgs {
		if m.Header.Level == unix.SOL_NETLINK && m.Header.Type == unix.NETLINK_LISTEN_ALL_NSID && len(m.Data) >= 4 {
			return int(int32(binary.NativeEndian.Uint32(m.Data)))
		}
	}
	return hostSpace
}

func eachMessage(b []byte, f func(kind uint16, data []byte)) {
	for len(b) >= unix.SizeofNlMsghdr {
		n := int(binary.NativeEndian.Uint32(b))
		if n < unix.SizeofNlMsghdr || n > len(b) {
			return
		}
		f(binary.NativeEndian.Uint16(b[4:]), b[unix.SizeofNlMsghdr:n])
		b = b[min((n+3)&^3, len(b)):]
	}
}

func routeEvent(kind uint16, data []byte) (Event, bool) {
	switch kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		// Messages about a bridge's ports carry the bridge's family; the
		// interface itself is spoken of in those of no family.
		if len(data) == 0 || data[0] != unix.AF_UNSPEC {
			return Event{}, false
		}
		l, err := rtnl.ParseLink(data)
		if err != nil {
			return Event{}, false
		}
		if kind == unix.RTM_DELLINK {
			return Event{Kind: LinkGone, Link: l}, true
		}
		return Event{Kind: LinkSeen, Link: l}, true
	case unix.RTM_DELADDR, unix.RTM_DELROUTE, unix.RTM_DELRULE:
		return Event{Kind: StateGone}, true
	case unix.RTM_DELNEIGH:
		// Of those that come and go by themselves nobody speaks here, only of
		// static entries of bridges.
		static := len(data) >= unix.SizeofNdMsg && data[0] == unix.AF_BRIDGE && binary.NativeEndian.Uint16(data[8:]) == unix.NUD_NOARP
		return Event{Kind: StateGone}, static
	}
	return Event{}, false
}

// filterEvent reports commits: the kernel ends each with a new generation.
func filterEvent(kind uint16, _ []byte) (Event, bool) {
	return Event{Kind: Committed}, kind == newGeneration
}

// newGeneration is the type of the message that ends a commit.
const newGeneration = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWGEN
