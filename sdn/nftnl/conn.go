package nftnl

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/effect"
)

// bufferSize is the size in bytes of the socket's buffers: a whole transaction
// is one send.
const bufferSize = 8 << 20

// Conn is a netlink socket to the nftables of one network namespace. It stays
// in that namespace wherever its users run, and serialises their calls.
type Conn struct {
	mu   sync.Mutex
	ns   int // own descriptor of the namespace, to dial again after an error
	nl   *netlink.Conn
	seen reading
}

// Dial opens a socket in the network namespace that nsfd refers to. nsfd
// stays the caller's.
func Dial(nsfd int) (*Conn, error) {
	ns, err := unix.FcntlInt(uintptr(nsfd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("nftables socket: duplicate the namespace's descriptor: %w", err)
	}
	c := &Conn{ns: ns}
	if err := c.dial(); err != nil {
		return nil, errors.Join(err, unix.Close(ns))
	}
	return c, nil
}

func (c *Conn) dial() error {
	nl, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: c.ns})
	if err != nil {
		return fmt.Errorf("nftables socket: %w", err)
	}
	if err := errors.Join(nl.SetWriteBuffer(bufferSize), nl.SetReadBuffer(bufferSize)); err != nil {
		return errors.Join(fmt.Errorf("nftables socket: buffers: %w", err), nl.Close())
	}
	c.nl = nl
	return nil
}

// Close closes the socket.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.nl != nil {
		err = c.nl.Close()
	}
	return errors.Join(err, unix.Close(c.ns))
}

// ready gives the socket, dialled again when the last call left it unusable,
// with the context's deadline.
func (c *Conn) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.nl == nil {
		if err := c.dial(); err != nil {
			return err
		}
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Time{}
	}
	return c.nl.SetDeadline(deadline)
}

// abandon closes a socket on which answers to a failed call may still come.
func (c *Conn) abandon() {
	_ = c.nl.Close()
	c.nl = nil
}

// message is one nfnetlink request of the nftables subsystem.
func message(kind int, family byte, flags netlink.HeaderFlags, attrs []netlink.Attribute) (netlink.Message, error) {
	data, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		return netlink.Message{}, err
	}
	return netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind),
			Flags: netlink.Request | flags,
		},
		Data: append([]byte{family, unix.NFNETLINK_V0, 0, 0}, data...),
	}, nil
}

// dumpAttempts is how often a dump is repeated that a concurrent change tore.
const dumpAttempts = 10

func (c *Conn) dump(kind int, family byte, attrs ...netlink.Attribute) ([]netlink.Message, error) {
	m, err := message(kind, family, netlink.Dump, attrs)
	if err != nil {
		return nil, err
	}
	for range dumpAttempts {
		reply, err := c.nl.Execute(m)
		if err != nil {
			c.abandon()
			return nil, err
		}
		if !torn(reply) {
			return reply, nil
		}
	}
	return nil, fmt.Errorf("dump was interrupted %d times", dumpAttempts)
}

func torn(reply []netlink.Message) bool {
	for _, m := range reply {
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			return true
		}
	}
	return false
}

// commit sends the messages as one transaction: all take effect, or none.
func (c *Conn) commit(ms []netlink.Message) error {
	edge := func(t netlink.HeaderType) netlink.Message {
		return netlink.Message{
			Header: netlink.Header{Type: t, Flags: netlink.Request},
			Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, unix.NFNL_SUBSYS_NFTABLES},
		}
	}
	ms[len(ms)-1].Header.Flags |= netlink.Acknowledge
	batch := append([]netlink.Message{edge(unix.NFNL_MSG_BATCH_BEGIN)}, ms...)
	batch = append(batch, edge(unix.NFNL_MSG_BATCH_END))
	err := effect.Do(effect.Nftables, "change the filters of a namespace", func() error {
		_, err := c.nl.SendMessages(batch)
		return err
	})
	if err != nil {
		c.abandon()
		return err
	}
	// The kernel answers the last message after the commit, and before it
	// every message that failed.
	if _, err := c.nl.Receive(); err != nil {
		c.abandon()
		return err
	}
	return nil
}
