package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/effect"
)

const (
	// receiveSize is more than the largest datagram the kernel sends here: dumps
	// fill what the reader had room for.
	receiveSize = 16 << 10
	// pollStep bounds how long a wait overlooks that its context has ended.
	pollStep = 20 * time.Millisecond
	// answerTimeout bounds the wait for an answer that the kernel lost; it never
	// loses one but for want of memory.
	answerTimeout = 5 * time.Second
	// watchBuffer is what a watching socket may queue, in bytes.
	watchBuffer = 4 << 20
)

// conn is a NETLINK_ROUTE socket in one namespace. The kernel works off a
// datagram of requests while it is being sent, so answers never have to be
// waited for; only announcements have.
type conn struct {
	fd  int
	seq uint32
	buf []byte
}

// dial opens a socket in ns (nil: the caller's namespace).
func dial(ns *os.File) (*conn, error) {
	fd, err := socketIn(ns, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	c := &conn{fd: fd, seq: 1, buf: make([]byte, receiveSize)}
	if err := c.prepare(); err != nil {
		c.close()
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	return c, nil
}

func (c *conn) prepare() error {
	for _, option := range []int{unix.NETLINK_CAP_ACK, unix.NETLINK_EXT_ACK, unix.NETLINK_GET_STRICT_CHK} {
		if err := unix.SetsockoptInt(c.fd, unix.SOL_NETLINK, option, 1); err != nil {
			return err
		}
	}
	return unix.Bind(c.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// watchLinks opens a socket in ns that hears of all changes of interfaces. No
// request goes through it: answers would be lost when it overflows (ENOBUFS).
func watchLinks(ns *os.File) (*conn, error) {
	c, err := dial(ns)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, watchBuffer),
		unix.SetsockoptInt(c.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, unix.RTNLGRP_LINK))
	if err != nil {
		c.close()
		return nil, fmt.Errorf("watch interfaces: %w", err)
	}
	return c, nil
}

func (c *conn) close() { unix.Close(c.fd) }

// answer is what the kernel said to one request.
type answer struct {
	err      error
	messages []message
	torn     bool // a dump during which the table changed
}

// exchange sends the requests as one datagram and returns their answers in
// order. A refused request does not keep the kernel from doing the next ones.
// Once sent they are done, so the end of the context does not hide how they went.
func (c *conn) exchange(ctx context.Context, requests ...*request) ([]answer, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	first := c.seq
	datagram := c.encode(requests)
	send := c.send // holds until the kernel is done
	if slices.ContainsFunc(requests, (*request).changes) {
		send = c.sendChange
	}
	if err := send(datagram); err != nil {
		return nil, fmt.Errorf("netlink send: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
	defer cancel()
	answers := make([]answer, len(requests))
	for open := len(requests); open > 0; {
		batch, err := c.receive(ctx)
		if err != nil {
			return nil, fmt.Errorf("netlink receive: %w", err)
		}
		for _, m := range batch {
			i := int(m.seq - first)
			if i < 0 || i >= len(answers) {
				continue
			}
			answers[i].torn = answers[i].torn || m.flags&unix.NLM_F_DUMP_INTR != 0
			switch m.kind {
			case unix.NLMSG_ERROR, unix.NLMSG_DONE:
				answers[i].err = result(m)
				open--
			default:
				answers[i].messages = append(answers[i].messages, m)
			}
		}
	}
	return answers, nil
}

// step is a request and what it does, for the error when it is refused.
type step struct {
	name    string
	request *request
	exists  error // what EEXIST means, beyond itself; may be nil
}

// do sends the steps as one datagram and returns the first refusal.
func (c *conn) do(ctx context.Context, steps ...step) error {
	requests := make([]*request, len(steps))
	for i, s := range steps {
		requests[i] = s.request
	}
	answers, err := c.exchange(ctx, requests...)
	if err != nil {
		return err
	}
	for i, a := range answers {
		switch s := steps[i]; {
		case a.err == nil:
		case s.exists != nil && errors.Is(a.err, unix.EEXIST):
			return fmt.Errorf("%s: %w: %w", s.name, s.exists, a.err)
		default:
			return fmt.Errorf("%s: %w", s.name, a.err)
		}
	}
	return nil
}

// encode joins requests to a datagram and takes their sequence numbers.
func (c *conn) encode(requests []*request) []byte {
	var datagram []byte
	for _, r := range requests {
		datagram = r.append(datagram, c.seq)
		c.seq++
	}
	return datagram
}

func (c *conn) sendChange(datagram []byte) error {
	return effect.Do(effect.Rtnetlink, "change the interfaces of a pod", func() error { return c.send(datagram) })
}

func (c *conn) send(datagram []byte) error {
	return unix.Sendto(c.fd, datagram, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// receive returns the messages of the next datagram from the kernel. Its result
// stays valid after later calls.
func (c *conn) receive(ctx context.Context) ([]message, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		n, _, err := unix.Recvfrom(c.fd, c.buf, unix.MSG_TRUNC)
		switch {
		case err == nil && n > len(c.buf):
			return nil, unix.EMSGSIZE
		case err == nil:
			return messages(append([]byte(nil), c.buf[:n]...)), nil
		case errors.Is(err, unix.EAGAIN):
			if err := c.wait(ctx); err != nil {
				return nil, err
			}
		case !errors.Is(err, unix.EINTR):
			return nil, err
		}
	}
}

// wait returns when there may be something to receive, or after pollStep.
func (c *conn) wait(ctx context.Context) error {
	timeout := pollStep
	if end, ok := ctx.Deadline(); ok {
		timeout = min(timeout, max(time.Until(end), time.Millisecond))
	}
	fds := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}
	_, err := unix.Poll(fds, int(timeout.Milliseconds()))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	return nil
}

// result is the error in an NLMSG_ERROR or NLMSG_DONE message, with the text of
// the kernel's extended acknowledgement where there is one.
func result(m message) error {
	code := int32(number(m.body))
	if code == 0 {
		return nil
	}
	errno := unix.Errno(-code)
	header := 4
	if m.kind == unix.NLMSG_ERROR {
		header += unix.SizeofNlMsghdr
	}
	if detail := attributes(m.body, header)[unix.NLMSGERR_ATTR_MSG]; len(detail) > 0 {
		return fmt.Errorf("%w (%s)", errno, text(detail))
	}
	return errno
}
