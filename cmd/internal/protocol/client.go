package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

// Client is the plugin's end of a connection. It blocks in plain system calls:
// a plugin does one thing at a time, and starts faster without a poller.
type Client struct {
	fd int
}

// Dial connects to the daemon's socket. No read or write on the connection
// takes longer than timeout.
func Dial(path string, timeout time.Duration) (*Client, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	limit := syscall.NsecToTimeval(timeout.Nanoseconds())
	err = errors.Join(
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &limit),
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit))
	if err == nil {
		err = retry(func() error { return syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}) })
	}
	if err != nil {
		syscall.Close(fd)
		return nil, fmt.Errorf("connect to %s: %w", path, err)
	}
	return &Client{fd: fd}, nil
}

// Call sends the request with its namespace and waits for the reply.
func (c *Client) Call(r Request) (Reply, error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return Reply{}, fmt.Errorf("encode request: %w", err)
	}
	frame, err := Frame(KindRequest, payload)
	if err != nil {
		return Reply{}, err
	}
	sending := c.send(frame, r.Netns)
	reply, err := c.reply()
	if err != nil { // a daemon that refuses early answers before it closes
		return Reply{}, errors.Join(err, sending)
	}
	return reply, nil
}

// Received tells the daemon that the reply reached the runtime.
func (c *Client) Received() error {
	frame, err := Frame(KindReceived, nil)
	if err != nil {
		return err
	}
	return c.send(frame, NoNetns)
}

// Close ends the connection.
func (c *Client) Close() error { return syscall.Close(c.fd) }

// send writes all of b; the descriptor goes with the first part.
func (c *Client) send(b []byte, netns int) error {
	var control []byte
	if netns != NoNetns {
		control = syscall.UnixRights(netns)
	}
	for len(b) > 0 {
		var n int
		err := retry(func() (err error) {
			n, err = syscall.SendmsgN(c.fd, b, control, nil, syscall.MSG_NOSIGNAL)
			return err
		})
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		b, control = b[n:], nil
	}
	return nil
}

func (c *Client) reply() (Reply, error) {
	head := make([]byte, headerSize)
	if err := c.fill(head); err != nil {
		return Reply{}, err
	}
	h, err := ParseHeader(head)
	if err != nil {
		return Reply{}, err
	}
	payload := make([]byte, h.Length)
	if err := c.fill(payload); err != nil {
		return Reply{}, err
	}
	return ParseReply(h, payload)
}

func (c *Client) fill(b []byte) error {
	for len(b) > 0 {
		var n int
		err := retry(func() (err error) {
			n, err = syscall.Read(c.fd, b)
			return err
		})
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return fmt.Errorf("no answer in time: %w", syscall.ETIMEDOUT)
		case err != nil:
			return fmt.Errorf("receive: %w", err)
		case n == 0:
			return fmt.Errorf("the connection was closed: %w", io.ErrUnexpectedEOF)
		}
		b = b[n:]
	}
	return nil
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
