package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// Client is the plugin's end of a connection. It waits in the runtime's poller:
// a process blocked in a read would have the runtime's monitor thread look at it
// every few microseconds, on a processor that the daemon needs.
type Client struct {
	conn    *os.File
	timeout time.Duration
}

// Dial connects to the daemon's socket. Neither a Call nor a write on the
// connection takes longer than timeout.
func Dial(path string, timeout time.Duration) (*Client, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	limit := syscall.NsecToTimeval(timeout.Nanoseconds())
	err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &limit) // bounds connect
	if err == nil {
		err = retry(func() error { return syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}) })
	}
	if err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	if err != nil {
		syscall.Close(fd)
		return nil, fmt.Errorf("connect to %s: %w", path, err)
	}
	return &Client{conn: os.NewFile(uintptr(fd), path), timeout: timeout}, nil
}

// Call sends the request with its namespace and waits for the reply. Meanwhile it
// has the plugins run that the daemon names.
func (c *Client) Call(ctx context.Context, r Request, run Runner) (Reply, error) {
	frame, err := requestFrame(r)
	if err != nil {
		return Reply{}, err
	}
	sending := c.send(frame, r.Netns)
	if err := c.conn.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return Reply{}, fmt.Errorf("receive: %w", err)
	}
	got := c.receive()
	for got.err == nil && got.header.Kind == KindRun {
		got = c.serve(ctx, got.payload, run)
	}
	if got.err != nil { // a daemon that refuses early answers before it closes
		return Reply{}, errors.Join(got.err, sending)
	}
	return ParseReply(got.header, got.payload)
}

// serve has one plugin run and says what became of it. It returns what the daemon
// sent next; that the daemon sent it, or is gone, ends the plugin.
func (c *Client) serve(ctx context.Context, payload []byte, run Runner) received {
	order, err := ParseRun(payload)
	if err != nil {
		return received{err: err}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := make(chan received, 1)
	go func() {
		next <- c.receive()
		cancel()
	}()
	frame, err := RanFrame(run(ctx, order))
	if err == nil {
		err = c.send(frame, NoNetns)
	}
	got := <-next
	if got.err != nil {
		got.err = errors.Join(got.err, err)
	}
	return got
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
func (c *Client) Close() error { return c.conn.Close() }

// send writes all of b; the descriptor goes with the first part.
func (c *Client) send(b []byte, netns int) error {
	var control []byte
	if netns != NoNetns {
		control = syscall.UnixRights(netns)
	}
	raw, err := c.conn.SyscallConn()
	if err == nil {
		err = c.conn.SetWriteDeadline(time.Now().Add(c.timeout))
	}
	for err == nil && len(b) > 0 {
		var n int
		var failed error
		err = raw.Write(func(fd uintptr) bool {
			failed = retry(func() (err error) {
				n, err = syscall.SendmsgN(int(fd), b, control, nil, syscall.MSG_NOSIGNAL)
				return err
			})
			return failed != syscall.EAGAIN
		})
		if err = errors.Join(err, failed); err == nil {
			b, control = b[n:], nil
		}
	}
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// received is a frame of the daemon's, or why there is none.
type received struct {
	header  Header
	payload []byte
	err     error
}

func (c *Client) receive() (r received) {
	head := make([]byte, headerSize)
	if r.err = c.fill(head); r.err != nil {
		return r
	}
	if r.header, r.err = ParseHeader(head); r.err != nil {
		return r
	}
	r.payload = make([]byte, r.header.Length)
	r.err = c.fill(r.payload)
	return r
}

func (c *Client) fill(b []byte) error {
	_, err := io.ReadFull(c.conn, b)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no answer in time: %w", syscall.ETIMEDOUT)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the connection was closed: %w", io.ErrUnexpectedEOF)
	case err != nil:
		return fmt.Errorf("receive: %w", err)
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
