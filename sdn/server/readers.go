package server

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// answerPiece is how much of an answer a client has to make room for while it
// is waited for once.
const answerPiece = 64 << 10

// readers are the requests that wait for their clients to read more of an answer.
type readers struct {
	mu      sync.Mutex
	waiting map[*reader]struct{}
}

// reader is the client of an answer, which can be cut off while it is waited for.
type reader struct {
	all   *readers
	conn  net.Conn  // nil: never cut off
	since time.Time // when the piece on its way was begun
	cut   bool
}

// write sends p piece by piece, so that one that reads is told from one that
// does not.
func (r *reader) write(w http.ResponseWriter, p []byte) (int, error) {
	var written int
	for {
		piece := p[written:min(len(p), written+answerPiece)]
		if !r.all.enter(r) {
			return written, errBusy
		}
		n, err := w.Write(piece)
		r.all.leave(r)
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// enter returns false when the reader has been cut off.
func (all *readers) enter(r *reader) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	if r.cut {
		return false
	}
	if all.waiting == nil {
		all.waiting = map[*reader]struct{}{}
	}
	r.since = time.Now()
	all.waiting[r] = struct{}{}
	return true
}

func (all *readers) leave(r *reader) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.waiting, r)
}

// cutSlowest closes the connection that has made no room for a piece of its
// answer for longest, when that is at least patience.
func (all *readers) cutSlowest(patience time.Duration) {
	all.mu.Lock()
	defer all.mu.Unlock()
	var slowest *reader
	for r := range all.waiting {
		if r.conn != nil && (slowest == nil || r.since.Before(slowest.since)) {
			slowest = r
		}
	}
	if slowest == nil || time.Since(slowest.since) < patience {
		return
	}
	slowest.cut = true
	delete(all.waiting, slowest)
	drop(slowest.conn)
}

// drop aborts a connection with what the kernel still holds for it, which a
// client that does not read would make it keep. Of HTTP/2 the whole connection
// goes: a stream cannot be ended while nothing can be written.
func drop(c net.Conn) {
	under := c
	if t, ok := c.(*tls.Conn); ok {
		under = t.NetConn()
	}
	if t, ok := under.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // of a connection that is gone there is nothing to drop
	}
	abort(c)
}
