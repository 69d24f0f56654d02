package server

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// errBusy is the answer to what there is no room for.
var errBusy = wire.Refuse(sdn.ErrUnavailable, "Too many requests at once.")

// senders are the requests that wait for their clients to send more of a body.
type senders struct {
	mu      sync.Mutex
	waiting map[*sender]struct{}
}

// sender is the body of a request, which can be cut off while it is read.
type sender struct {
	io.ReadCloser
	all     *senders
	control *http.ResponseController
	began   time.Time // when the body was first asked for
	cut     bool
}

func newSenders() *senders { return &senders{waiting: map[*sender]struct{}{}} }

func (all *senders) body(of io.ReadCloser, control *http.ResponseController) *sender {
	return &sender{ReadCloser: of, all: all, control: control}
}

func (s *sender) Read(p []byte) (int, error) {
	s.all.enter(s)
	n, err := s.ReadCloser.Read(p)
	if s.all.leave(s) {
		return 0, errBusy
	}
	return n, err
}

func (all *senders) enter(s *sender) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if s.began.IsZero() {
		s.began = time.Now()
	}
	all.waiting[s] = struct{}{}
}

// leave reports whether the sender was cut off meanwhile.
func (all *senders) leave(s *sender) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.waiting, s)
	return s.cut
}

// cutSlowest ends the request whose body is on its way for longest, when that is
// at least patience. It reports whether there was one.
func (all *senders) cutSlowest(patience time.Duration) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	var slowest *sender
	for s := range all.waiting {
		if slowest == nil || s.began.Before(slowest.began) {
			slowest = s
		}
	}
	if slowest == nil || time.Since(slowest.began) < patience {
		return false
	}
	slowest.cut = true
	delete(all.waiting, slowest)
	_ = slowest.control.SetReadDeadline(time.Now()) // a connection that is gone ends the reading, too
	return true
}
