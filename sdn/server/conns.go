package server

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// conns bounds the connections of a server. It never makes the listener wait:
// room for a new one is made by closing the connection on which nothing has
// happened for longest, be it idle, still without a request, or slow with its
// headers.
type conns struct {
	most int

	mu   sync.Mutex
	open map[net.Conn]*conn
	idle *list.List // of *conn without a request in hand, the longest quiet first
}

type conn struct {
	net.Conn
	requests int           // in hand
	place    *list.Element // in idle; nil while there are requests
}

func newConns(most int) *conns {
	return &conns{most: most, open: map[net.Conn]*conn{}, idle: list.New()}
}

// state is the server's ConnState hook.
func (cs *conns) state(c net.Conn, now http.ConnState) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch now {
	case http.StateNew:
		one := &conn{Conn: c}
		one.place = cs.idle.PushBack(one)
		cs.open[c] = one
		cs.makeRoom()
	case http.StateActive, http.StateIdle:
		if one := cs.open[c]; one != nil && one.place != nil {
			cs.idle.MoveToBack(one.place)
		}
	case http.StateClosed, http.StateHijacked:
		cs.forget(c)
	}
}

// makeRoom closes connections without a request until few enough are open. The
// newest is the last of them.
func (cs *conns) makeRoom() {
	for len(cs.open) > cs.most && cs.idle.Len() > 0 {
		oldest, _ := cs.idle.Front().Value.(*conn)
		cs.forget(oldest.Conn)
		abort(oldest.Conn)
	}
}

// abort closes a connection without a word: saying good-bye in TLS can block.
func abort(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	_ = c.Close() // whoever reads from it sees that it is gone
}

func (cs *conns) forget(c net.Conn) {
	one := cs.open[c]
	if one == nil {
		return
	}
	delete(cs.open, c)
	if one.place != nil {
		cs.idle.Remove(one.place)
		one.place = nil
	}
}

// busy says that a request of the connection is in hand.
func (cs *conns) busy(c net.Conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	one := cs.open[c]
	if one == nil {
		return
	}
	one.requests++
	if one.place != nil {
		cs.idle.Remove(one.place)
		one.place = nil
	}
}

// quiet says that it is answered.
func (cs *conns) quiet(c net.Conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	one := cs.open[c]
	if one == nil {
		return
	}
	if one.requests--; one.requests == 0 {
		one.place = cs.idle.PushBack(one)
	}
}
