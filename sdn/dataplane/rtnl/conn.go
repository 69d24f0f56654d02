package rtnl

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/effect"
)

// Request is one change. Text says in words what it does, for errors.
type Request struct {
	Text string
	// Gone makes it a success when the object is not there (any more).
	Gone bool

	kind  uint16
	flags netlink.HeaderFlags
	data  []byte
}

// Conn is a netlink socket in one namespace. It is not safe for concurrent use.
type Conn struct{ c *netlink.Conn }

// Dial opens a socket in the namespace that fd refers to.
func Dial(fd int) (*Conn, error) {
	c, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: fd, Strict: true})
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink socket: %w", err)
	}
	return &Conn{c: c}, nil
}

// Close closes the socket.
func (c *Conn) Close() error { return c.c.Close() }

// dumpTries bounds how often a dump is repeated that the kernel marked as
// inconsistent because something changed meanwhile.
const dumpTries = 10

func (c *Conn) dump(kind uint16, header []byte) ([]netlink.Message, error) {
	for range dumpTries {
		msgs, err := c.c.Execute(netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | netlink.Dump},
			Data:   header,
		})
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !interrupted(msgs) {
			return msgs, nil
		}
	}
	return nil, fmt.Errorf("interrupted %d times: %w", dumpTries, unix.EINTR)
}

func interrupted(msgs []netlink.Message) bool {
	for _, m := range msgs {
		if m.Header.Flags&unix.NLM_F_DUMP_INTR != 0 {
			return true
		}
	}
	return false
}

// atOnce is how many changes go into one datagram: the answers to all must fit
// into the socket's receive buffer.
const atOnce = 100

// Apply sends the changes in few datagrams; the kernel does them in order and
// goes on after one that it refuses. The error joins the refusals.
func (c *Conn) Apply(batch []Request) error {
	var errs []error
	for part := range slices.Chunk(batch, atOnce) {
		errs = append(errs, c.apply(part))
	}
	return errors.Join(errs...)
}

func (c *Conn) apply(batch []Request) error {
	msgs := make([]netlink.Message, len(batch))
	for i, r := range batch {
		msgs[i] = netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(r.kind), Flags: r.flags | netlink.Request | netlink.Acknowledge},
			Data:   r.data,
		}
	}
	err := effect.Do(effect.Rtnetlink, "change the links, addresses, routes and neighbours of a namespace", func() error {
		_, err := c.c.SendMessages(msgs)
		return err
	})
	if err != nil {
		return fmt.Errorf("send %d changes: %w", len(batch), err)
	}
	var errs []error
	for _, r := range batch {
		_, err := c.c.Receive()
		if err == nil || r.Gone && isGone(err) {
			continue
		}
		errs = append(errs, fmt.Errorf("%s: %w", r.Text, err))
	}
	return errors.Join(errs...)
}

func isGone(err error) bool {
	for _, e := range []error{unix.ENODEV, unix.ESRCH, unix.ENOENT, unix.EADDRNOTAVAIL, unix.ENXIO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
