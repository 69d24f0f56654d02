package etcdproxy

import (
	"context"
	"net"
	"time"
)

// conn is one connection, from a client and to the server.
type conn struct {
	near, far net.Conn
	ctx       context.Context // ends with it
	cancel    context.CancelFunc
	severed   bool
}

func (c *conn) end() {
	c.cancel()
	_ = c.near.Close()
	_ = c.far.Close()
}

func (p *Proxy) accept(l net.Listener) {
	for {
		near, err := l.Accept()
		if err != nil {
			return
		}
		p.task.Go(func() { p.serve(near) })
	}
}

// serve carries a client's connection until one of its sides ends.
func (p *Proxy) serve(near net.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &conn{near: near, ctx: ctx, cancel: cancel}
	far, err := p.dial(ctx)
	if err != nil {
		cancel()
		_ = near.Close()
		return
	}
	c.far = far
	defer c.end()
	p.mu.Lock()
	refuses := p.closed || p.listener == nil
	p.conns[c] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	}()
	if refuses {
		return
	}
	p.task.Go(func() {
		defer c.end()
		_ = p.pass(c, c.near, c.far, p.answersHeld)
	})
	_ = p.pass(c, c.far, c.near, p.wordsHeld)
}

// pass copies until one side ends.
func (p *Proxy) pass(c *conn, to, from net.Conn, held func(c *conn) bool) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return err
		}
		if from == c.near {
			if err := p.heard(c, buf[:n]); err != nil {
				return err
			}
		}
		if err := p.wait(c, held); err != nil {
			return err
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return err
		}
	}
}

// heard does with a client's bytes what is to be done before they pass.
func (p *Proxy) heard(c *conn, said []byte) error {
	for _, then := range p.sprung(said) {
		then()
	}
	p.mu.Lock()
	late := time.NewTimer(p.delay)
	p.mu.Unlock()
	defer late.Stop()
	select {
	case <-late.C:
		return nil
	case <-c.ctx.Done():
		return errEnded
	}
}

func (p *Proxy) wordsHeld(c *conn) bool   { return p.frozen || c.severed }
func (p *Proxy) answersHeld(c *conn) bool { return p.frozen || p.mute || c.severed }

// wait returns when bytes may pass; an error: they never will.
func (p *Proxy) wait(c *conn, held func(c *conn) bool) error {
	for {
		p.mu.Lock()
		holds, changed := held(c), p.changed
		p.mu.Unlock()
		if c.ctx.Err() != nil {
			return errEnded
		}
		if !holds {
			return nil
		}
		select {
		case <-changed:
		case <-c.ctx.Done():
			return errEnded
		}
	}
}
