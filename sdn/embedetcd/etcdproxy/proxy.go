package etcdproxy

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"time"
)

// Proxy passes bytes between clients and a server. Its methods may be called at
// any time, from any goroutine.
type Proxy struct {
	listen func() (net.Listener, error)
	dial   func(context.Context) (net.Conn, error)
	where  string
	task   sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil: connections are refused
	closed   bool
	frozen   bool // nothing passes
	mute     bool // no answer passes
	delay    time.Duration
	traps    []trap
	conns    map[*conn]bool
	changed  chan struct{} // closed when something that holds bytes has changed
}

// trap waits for bytes of a client that hold a text.
type trap struct {
	text []byte
	then func()
}

// Start makes a proxy on the loopback of an etcd at an endpoint, "unix://PATH" or
// "http://HOST:PORT".
func Start(endpoint string) (*Proxy, error) {
	address := "127.0.0.1:0"
	p, err := Between(func() (net.Listener, error) {
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
		if err == nil {
			address = l.Addr().String()
		}
		return l, err
	}, dialer(endpoint))
	if err != nil {
		return nil, err
	}
	p.where = "http://" + address
	return p, nil
}

// StartUnix is Start on a unix socket, which is there for all network namespaces.
// A path may have 107 bytes.
func StartUnix(path, endpoint string) (*Proxy, error) {
	p, err := Between(func() (net.Listener, error) {
		if err := os.RemoveAll(path); err != nil {
			return nil, err
		}
		l, err := new(net.ListenConfig).Listen(context.Background(), "unix", path)
		if unix, ok := l.(*net.UnixListener); ok {
			unix.SetUnlinkOnClose(false) // without it a connection is refused, as by a port
		}
		return l, err
	}, dialer(endpoint))
	if err != nil {
		return nil, err
	}
	p.where = "unix://" + path
	return p, nil
}

// Between makes a proxy that listens and dials as it is told: listen is called
// again, for the same address, when the proxy has refused connections.
func Between(listen func() (net.Listener, error), dial func(context.Context) (net.Conn, error)) (*Proxy, error) {
	p := &Proxy{listen: listen, dial: dial, conns: map[*conn]bool{}, changed: make(chan struct{})}
	if err := p.open(); err != nil {
		return nil, err
	}
	return p, nil
}

func dialer(endpoint string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		u, err := url.Parse(endpoint)
		if err != nil {
			return nil, err
		}
		if u.Scheme == "unix" {
			return new(net.Dialer).DialContext(ctx, "unix", u.Path)
		}
		return new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	}
}

// open takes the address; the caller holds mu, or is alone.
func (p *Proxy) open() error {
	l, err := p.listen()
	if err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	p.listener = l
	p.task.Go(func() { p.accept(l) })
	return nil
}

// Endpoint is where clients find the proxy; of one that was made by Between "".
func (p *Proxy) Endpoint() string { return p.where }

// Close ends everything. Repeated, it does nothing.
func (p *Proxy) Close() error {
	var err error
	p.change(func() {
		p.closed = true
		if p.listener != nil {
			err = p.listener.Close()
			p.listener = nil
		}
		p.cut()
	})
	p.task.Wait()
	return err
}

// change does something under the lock and has all who hold bytes look again.
func (p *Proxy) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}
