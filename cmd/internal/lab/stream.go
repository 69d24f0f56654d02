package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Traffic is what a Stream or a Beat has seen.
type Traffic struct{ Sent, Answered int }

// Beat sends a datagram each 10 ms from inside n to an echo server and counts
// the answers, until stop is called; stop waits at most ten seconds for the last ones.
func Beat(ctx context.Context, n *Namespace, to netip.AddrPort) (stop func() (Traffic, error), err error) {
	var c net.Conn
	err = n.Do(func() (err error) {
		c, err = new(net.Dialer).DialContext(ctx, "udp4", to.String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("beat to %s: %w", to, err)
	}
	var t Traffic
	var answered atomic.Int64
	var sendErr error
	quit := make(chan struct{})
	var sender, receiver sync.WaitGroup
	sender.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				if _, err := c.Write([]byte("beat")); err != nil {
					sendErr = errors.Join(sendErr, err)
				}
				t.Sent++
			}
		}
	})
	receiver.Go(func() {
		buf := make([]byte, 64)
		for {
			if _, err := c.Read(buf); err != nil {
				if errors.Is(err, net.ErrClosed) || silence(err) == ErrNoAnswer {
					return
				}
				continue
			}
			answered.Add(1)
		}
	})
	return func() (Traffic, error) {
		close(quit)
		sender.Wait()
		for end := time.Now().Add(10 * time.Second); answered.Load() < int64(t.Sent) && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		_ = c.SetReadDeadline(time.Now())
		receiver.Wait()
		t.Answered = int(answered.Load())
		return t, errors.Join(sendErr, c.Close())
	}, nil
}

// EchoUDP answers datagrams at port inside n until the lab is closed.
func (l *Lab) EchoUDP(n *Namespace, port uint16) error {
	var c net.PacketConn
	err := n.Do(func() (err error) {
		c, err = net.ListenPacket("udp4", fmt.Sprintf("0.0.0.0:%d", port))
		return err
	})
	if err != nil {
		return fmt.Errorf("echo in %s: %w", n.Name, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			size, from, err := c.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				_, _ = c.WriteTo(buf[:size], from)
			}
		}
	}()
	l.Defer(func() error {
		err := c.Close()
		<-done
		return err
	})
	return nil
}

// Stream keeps one TCP connection of Serve busy, a line each 10 ms, and counts
// the lines that came back, until stop is called.
func Stream(ctx context.Context, n *Namespace, to netip.AddrPort) (stop func() (Traffic, error), err error) {
	c, err := Dial(ctx, n, to, 10*time.Second)
	if err != nil {
		return nil, err
	}
	var greeting string
	if _, err := fmt.Fscanln(c, &greeting); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("stream to %s: %w", to, err)
	}
	var t Traffic
	var failed error
	quit := make(chan struct{})
	var loop sync.WaitGroup
	loop.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		line := make([]byte, 4)
		for failed == nil {
			select {
			case <-quit:
				return
			case <-tick.C:
				t.Sent++
				failed = exchange(c, line)
				if failed == nil {
					t.Answered++
				}
			}
		}
	})
	return func() (Traffic, error) {
		close(quit)
		loop.Wait()
		return t, errors.Join(failed, c.Close())
	}, nil
}

func exchange(c net.Conn, line []byte) error {
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("beat")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, line)
	return err
}
