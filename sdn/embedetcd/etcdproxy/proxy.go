package etcdproxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
)

// Proxy passes bytes between clients on the loopback and an etcd.
type Proxy struct {
	listener net.Listener
	target   string // path of a unix socket
	task     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	gate   chan struct{} // closed: bytes pass
	conns  []*conn
}

// conn is one connection with its own gate, which Sever closes for good.
type conn struct {
	near, far net.Conn
	severed   bool
}

// Start makes a proxy of the etcd at an endpoint "unix://PATH".
func Start(endpoint string) (*Proxy, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for clients of etcd: %w", err)
	}
	p := &Proxy{listener: l, target: strings.TrimPrefix(endpoint, "unix://"), gate: make(chan struct{})}
	close(p.gate)
	p.task.Go(p.accept)
	return p, nil
}

// Endpoint is where clients find the proxy.
func (p *Proxy) Endpoint() string { return "http://" + p.listener.Addr().String() }

// Freeze lets no byte pass until Thaw. Connections are still accepted.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
		p.gate = make(chan struct{})
	default:
	}
}

// Thaw lets bytes pass again, on connections that are not severed.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
}

// Sever lets no byte pass any more on the connections that there are, which stay
// open. New ones work.
func (p *Proxy) Sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.severed = true
	}
}

// Close ends everything.
func (p *Proxy) Close() error {
	p.Thaw()
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for _, c := range p.conns {
		_ = c.near.Close()
		_ = c.far.Close()
	}
	p.mu.Unlock()
	p.task.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := new(net.Dialer).DialContext(context.Background(), "unix", p.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		p.serve(&conn{near: near, far: far})
	}
}

func (p *Proxy) serve(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.near.Close()
		_ = c.far.Close()
		return
	}
	p.conns = append(p.conns, c)
	p.task.Go(func() { p.pass(c, c.far, c.near) })
	p.task.Go(func() { p.pass(c, c.near, c.far) })
}

// pass copies until one side ends, and then ends both.
func (p *Proxy) pass(c *conn, to io.Writer, from io.Reader) {
	defer c.near.Close()
	defer c.far.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && p.wait(c) {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// wait returns when bytes may pass; false: they never will.
func (p *Proxy) wait(c *conn) bool {
	p.mu.Lock()
	gate := p.gate
	p.mu.Unlock()
	<-gate
	p.mu.Lock()
	defer p.mu.Unlock()
	return !c.severed
}
