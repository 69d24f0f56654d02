package etcdproxy_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/embedetcd/etcdproxy"
)

const patience = 10 * time.Second

// echo is a server that tells what it heard, and answers the same.
func echo(t *testing.T) (endpoint string, heard chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	heard = make(chan string, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 100)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					heard <- string(buf[:n])
					_, _ = c.Write(buf[:n])
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), heard
}

type client struct {
	t *testing.T
	net.Conn
}

func (c client) says(text string) {
	c.t.Helper()
	_, err := c.Write([]byte(text))
	require.NoError(c.t, err)
}

func (c client) hears(text string) {
	c.t.Helper()
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(patience)))
	buf := make([]byte, len(text))
	_, err := io.ReadFull(c, buf)
	require.NoError(c.t, err)
	require.Equal(c.t, text, string(buf))
}

// hearsNothing also waits, so that an answer would have come.
func (c client) hearsNothing() {
	c.t.Helper()
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := c.Read(make([]byte, 1))
	var timeout net.Error
	require.ErrorAs(c.t, err, &timeout)
	require.True(c.t, timeout.Timeout(), "%v", err)
}

func (c client) ends() {
	c.t.Helper()
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(patience)))
	_, err := c.Read(make([]byte, 1))
	var timeout net.Error
	require.False(c.t, errors.As(err, &timeout) && timeout.Timeout(), "it is still open")
	require.Error(c.t, err)
}

func dial(t *testing.T, p *etcdproxy.Proxy) client {
	t.Helper()
	network, address, _ := strings.Cut(p.Endpoint(), "://")
	if network == "http" {
		network = "tcp"
	}
	c, err := net.Dial(network, address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return client{t, c}
}

func start(t *testing.T) (*etcdproxy.Proxy, client, chan string) {
	endpoint, heard := echo(t)
	p, err := etcdproxy.StartUnix(filepath.Join(t.TempDir(), "s"), endpoint)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	c := dial(t, p)
	c.says("hello")
	c.hears("hello")
	require.Equal(t, "hello", <-heard)
	return p, c, heard
}

func TestRefusedUntilAdmitted(t *testing.T) {
	endpoint, _ := echo(t)
	onUnix, err := etcdproxy.StartUnix(filepath.Join(t.TempDir(), "s"), endpoint)
	require.NoError(t, err)
	onTCP, err := etcdproxy.Start(endpoint)
	require.NoError(t, err)
	for _, p := range []*etcdproxy.Proxy{onUnix, onTCP} {
		t.Cleanup(func() { require.NoError(t, p.Close()) })
		c := dial(t, p)
		c.says("a")
		c.hears("a")
		p.Refuse()
		p.Refuse()
		c.ends()
		network, address, _ := strings.Cut(p.Endpoint(), "://")
		_, err := net.Dial(strings.Replace(network, "http", "tcp", 1), address)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.NoError(t, p.Admit())
		require.NoError(t, p.Admit())
		c = dial(t, p)
		c.says("b")
		c.hears("b")
	}
}

func TestFrozenSaysNothingAndLosesNothing(t *testing.T) {
	p, c, heard := start(t)
	p.Freeze()
	young := dial(t, p)
	c.says("old")
	young.says("young")
	c.hearsNothing()
	young.hearsNothing()
	require.Empty(t, heard)
	p.Thaw()
	c.hears("old")
	young.hears("young")
}

func TestMuteTakesEffectAndIsNotAnswered(t *testing.T) {
	p, c, heard := start(t)
	p.Mute()
	c.says("do")
	require.Equal(t, "do", <-heard)
	c.hearsNothing()
	p.Cut()
	c.ends()
	p.Thaw()
	again := dial(t, p)
	again.says("again")
	again.hears("again")
}

func TestATrapComesBeforeTheBytesThatSetItOff(t *testing.T) {
	p, c, heard := start(t)
	p.At("secret", p.Cut)
	c.says("plain")
	c.hears("plain")
	require.Equal(t, "plain", <-heard)
	c.says("a secret word")
	c.ends()
	require.Empty(t, heard)
	again := dial(t, p)
	again.says("a secret word")
	again.hears("a secret word")
}

func TestSeveredStaysSilent(t *testing.T) {
	p, c, _ := start(t)
	p.Sever()
	c.says("x")
	c.hearsNothing()
	p.Thaw()
	c.hearsNothing()
	young := dial(t, p)
	young.says("y")
	young.hears("y")
}

func TestDelayed(t *testing.T) {
	p, c, _ := start(t)
	p.Delay(100 * time.Millisecond)
	begun := time.Now()
	c.says("x")
	c.hears("x")
	require.GreaterOrEqual(t, time.Since(begun), 100*time.Millisecond)
}

func TestClosedWhileItHoldsBytes(t *testing.T) {
	p, c, _ := start(t)
	p.Freeze()
	p.Delay(time.Hour)
	c.says("x")
	require.NoError(t, p.Close())
	c.ends()
}
