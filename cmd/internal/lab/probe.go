package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// ErrNoAnswer says that nothing came back within the time given.
var ErrNoAnswer = errors.New("no answer")

// Ping sends one ICMP echo request (RFC 792) from inside n and waits for its
// reply. It sends no second one.
func Ping(n *Namespace, to netip.Addr, within time.Duration) error {
	return n.Do(func() error {
		c, err := icmp.ListenPacket("ip4:icmp", "0.0.0.0")
		if err != nil {
			return fmt.Errorf("open ICMP socket: %w", err)
		}
		defer c.Close()
		return echo(c, to, within)
	})
}

func echo(c *icmp.PacketConn, to netip.Addr, within time.Duration) error {
	id := os.Getpid() & 0xffff
	msg := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: id, Seq: 1, Data: []byte("moat")}}
	raw, err := msg.Marshal(nil)
	if err != nil {
		return err
	}
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	dst := &net.IPAddr{IP: net.IP(to.AsSlice())}
	if _, err := c.WriteTo(raw, dst); err != nil {
		return fmt.Errorf("ping %s: %w", to, err)
	}
	buf := make([]byte, 1500)
	for {
		size, from, err := c.ReadFrom(buf)
		if err != nil {
			return fmt.Errorf("ping %s: %w", to, silence(err))
		}
		got, err := icmp.ParseMessage(1, buf[:size])
		if err != nil {
			continue
		}
		switch body := got.Body.(type) {
		case *icmp.Echo:
			if got.Type == ipv4.ICMPTypeEchoReply && body.ID == id && from.String() == to.String() {
				return nil
			}
		case *icmp.DstUnreach:
			return fmt.Errorf("ping %s: destination unreachable, code %d", to, got.Code)
		}
	}
}

func silence(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return ErrNoAnswer
	}
	return err
}

// Serve answers TCP connections at port inside n until the lab is closed: it
// sends the client's address as it sees it, then echoes.
func (l *Lab) Serve(n *Namespace, port uint16) error {
	var ln net.Listener
	err := n.Do(func() (err error) {
		ln, err = net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port))
		return err
	})
	if err != nil {
		return fmt.Errorf("serve in %s: %w", n.Name, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go answer(c)
		}
	}()
	l.Defer(func() error {
		err := ln.Close()
		<-done
		return err
	})
	return nil
}

func answer(c net.Conn) {
	defer c.Close()
	host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
	if _, err := fmt.Fprintln(c, host); err != nil {
		return
	}
	_, _ = io.Copy(c, c)
}

// Connect opens a TCP connection from inside n to a server of Serve and
// returns the source address that the server saw.
func Connect(ctx context.Context, n *Namespace, to netip.AddrPort, within time.Duration) (netip.Addr, error) {
	c, err := Dial(ctx, n, to, within)
	if err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return netip.Addr{}, err
	}
	var seen string
	if _, err := fmt.Fscanln(c, &seen); err != nil {
		return netip.Addr{}, fmt.Errorf("connect %s: %w", to, silence(err))
	}
	return netip.ParseAddr(seen)
}

// Dial opens a TCP connection from inside n.
func Dial(ctx context.Context, n *Namespace, to netip.AddrPort, within time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var c net.Conn
	err := n.Do(func() (err error) {
		c, err = new(net.Dialer).DialContext(ctx, "tcp4", to.String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", to, silence(err))
	}
	return c, nil
}
