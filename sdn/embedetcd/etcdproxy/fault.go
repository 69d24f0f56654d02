package etcdproxy

import (
	"bytes"
	"errors"
	"slices"
	"time"
)

// Freeze lets no byte pass until Thaw. Connections are still accepted.
func (p *Proxy) Freeze() { p.change(func() { p.frozen = true }) }

// Mute lets what clients say pass, and no answer, until Thaw.
func (p *Proxy) Mute() { p.change(func() { p.mute = true }) }

// Delay lets bytes of clients pass late, until Thaw. What arrives meanwhile passes
// together with them, as a disk's writes do.
func (p *Proxy) Delay(by time.Duration) { p.change(func() { p.delay = by }) }

// Refuse ends all connections and lets none begin until Admit.
func (p *Proxy) Refuse() {
	p.change(func() {
		if p.listener != nil {
			_ = p.listener.Close()
			p.listener = nil
		}
		p.cut()
	})
}

// Cut ends all connections that there are, and what they hold is lost. New ones
// work.
func (p *Proxy) Cut() { p.change(p.cut) }

// cut is Cut for who holds mu.
func (p *Proxy) cut() {
	for c := range p.conns {
		c.end()
	}
}

// Sever lets no byte pass any more on the connections that there are, which stay
// open. New ones work.
func (p *Proxy) Sever() {
	p.change(func() {
		for c := range p.conns {
			c.severed = true
		}
	})
}

// At calls then when a client says something that holds the text, once, before it
// is passed on: with Freeze or Cut it does not arrive, with Mute it does.
func (p *Proxy) At(text string, then func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = append(p.traps, trap{[]byte(text), then})
}

// Thaw ends Freeze, Mute and Delay, and what At waits for; severed connections
// stay so.
func (p *Proxy) Thaw() {
	p.change(func() { p.frozen, p.mute, p.delay, p.traps = false, false, 0, nil })
}

// Admit ends Refuse.
func (p *Proxy) Admit() (err error) {
	p.change(func() {
		if p.listener == nil && !p.closed {
			err = p.open()
		}
	})
	return err
}

// sprung are what the traps do that a client's bytes set off.
func (p *Proxy) sprung(said []byte) (then []func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = slices.DeleteFunc(p.traps, func(t trap) bool {
		if !bytes.Contains(said, t.text) {
			return false
		}
		then = append(then, t.then)
		return true
	})
	return then
}

var errEnded = errors.New("the connection was ended")
