package server

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/moatnet/moat/sdn/wire"
)

const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second // headers and body
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
	// queueFor is how long a request waits for others to be answered. While it
	// does, every bodyPatience one that waits for its own client is ended.
	queueFor     = time.Second
	bodyPatience = queueFor / 4
	// answerSlack and answerRate are what a client has to read an answer: this
	// long, and that many bytes per second beyond.
	answerSlack = 15 * time.Second
	answerRate  = 64 << 10
	// streamsPerConnection bounds the requests that one HTTP/2 connection
	// carries at once.
	streamsPerConnection = 64
)

// Limits bound what clients can make a server hold, whatever they send, or do
// not send.
type Limits struct {
	// Connections are open at once; 0: 1,024. One more closes the one that has
	// been without a request in hand for longest, or is closed itself when all
	// are being answered.
	Connections int
	// Requests are answered at once; 0: 256. Those beyond wait for a second
	// and get 503, as do those whose bodies arrive slowly while others wait.
	// Meanwhile the connections of clients that do not read are closed.
	Requests int
	// RequestTimeout is the deadline of one request; 0: 30 s.
	RequestTimeout time.Duration
	// Logger receives what clients do wrong below HTTP at level debug; nil
	// logs nothing.
	Logger *slog.Logger
}

// NewHTTPServer returns a server of h that keeps the limits, over TLS or not.
func NewHTTPServer(h http.Handler, l Limits) *http.Server {
	l.Connections, l.Requests = cmp.Or(l.Connections, 1024), cmp.Or(l.Requests, 256)
	l.RequestTimeout = cmp.Or(l.RequestTimeout, 30*time.Second)
	if l.Logger == nil {
		l.Logger = slog.New(slog.DiscardHandler)
	}
	open := newConns(l.Connections)
	return &http.Server{
		Handler: &limited{
			next: h, open: open, bodies: newSenders(), slots: make(chan struct{}, l.Requests), timeout: l.RequestTimeout,
			slack: answerSlack, rate: answerRate,
		},
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		// An answer's own deadline replaces this one when it is written.
		WriteTimeout:   l.RequestTimeout + readTimeout + queueFor + answerSlack,
		MaxHeaderBytes: maxHeaderBytes,
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: streamsPerConnection, WriteByteTimeout: answerSlack},
		ConnState:      open.state,
		ConnContext:    func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ErrorLog:       slog.NewLogLogger(l.Logger.Handler(), slog.LevelDebug),
	}
}

// connKey is a request's connection in its context.
type connKey struct{}

// limited lets a bounded number of requests through, each for a bounded time.
type limited struct {
	next    http.Handler
	open    *conns
	bodies  *senders
	answers readers
	slots   chan struct{}
	timeout time.Duration
	slack   time.Duration
	rate    int // bytes per second
}

func (l *limited) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(connKey{}).(net.Conn)
	if ok {
		l.open.busy(c)
		defer l.open.quiet(c)
	}
	paced := &pacedWriter{ResponseWriter: w, control: http.NewResponseController(w), slack: l.slack, rate: l.rate}
	ctx, cancel := context.WithTimeout(r.Context(), l.timeout)
	defer cancel()
	if !l.enter(ctx) {
		refuseBusy(paced)
		return
	}
	defer func() { <-l.slots }()
	paced.client = &reader{all: &l.answers, conn: c}
	r = r.WithContext(ctx)
	r.Body = l.bodies.body(r.Body, paced.control)
	l.next.ServeHTTP(paced, r)
}

// enter takes a slot, or returns false when there is none for too long.
func (l *limited) enter(ctx context.Context) bool {
	select {
	case l.slots <- struct{}{}:
		return true
	default:
	}
	for range queueFor / bodyPatience {
		if !l.bodies.cutSlowest(bodyPatience) {
			l.answers.cutSlowest(bodyPatience)
		}
		if l.queue(ctx, bodyPatience) {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
	}
	return false
}

// queue waits for a slot for a while.
func (l *limited) queue(ctx context.Context, most time.Duration) bool {
	full := time.NewTimer(most)
	defer full.Stop()
	select {
	case l.slots <- struct{}{}:
		return true
	case <-full.C:
	case <-ctx.Done():
	}
	return false
}

func refuseBusy(w http.ResponseWriter) {
	const status = http.StatusServiceUnavailable
	body, err := json.Marshal(wire.NewError(errBusy))
	if err != nil {
		panic(err) // a constant
	}
	h := w.Header()
	allowAnyOrigin(h)
	retryLater(h)
	h.Set("Content-Type", wire.ErrorType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // to a client that may have gone
}

// retryLater names the seconds after which the same request may succeed.
func retryLater(h http.Header) {
	h.Set("RetryAfter", "3") // MidoNet's spelling
	h.Set("Retry-After", "3")
}

// pacedWriter gives the client time in proportion to what is written: one that
// reads too slowly is cut off, so that it holds neither the answer nor a slot.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	slack   time.Duration
	rate    int
	first   time.Time // of a write
	bytes   int
	client  *reader // nil: the answer holds no slot
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	if w.first.IsZero() {
		w.first = time.Now()
	}
	w.bytes += len(p)
	until := w.first.Add(w.slack + time.Duration(w.bytes)*time.Second/time.Duration(w.rate))
	_ = w.control.SetWriteDeadline(until) // of a connection that is gone Write speaks
	if w.client == nil {
		return w.ResponseWriter.Write(p)
	}
	return w.client.write(w.ResponseWriter, p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
