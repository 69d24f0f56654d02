package server

import (
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/wire"
)

// DefaultBase is the path that MidoNet serves its API below.
const DefaultBase = "/midonet-api"

// Options say what is served.
type Options struct {
	API  sdn.API              // required
	Auth access.Authenticator // nil: every login and every token is refused
	// Release is the line of MidoNet's API that is served. wire.V5 understands
	// and gives the media types of 1.9 too; wire.V1 also behaves like 1.9.
	Release wire.Release
	// Base is the path that the API lies below; empty is DefaultBase.
	Base string
	// Logger receives each request at level debug, each change and who made it at
	// level info, and what went wrong inside at level error; nil logs nothing. It
	// is never given a token or a password.
	Logger *slog.Logger
}

type server struct {
	api     sdn.API
	auth    access.Authenticator
	release wire.Release
	base    string
	log     *slog.Logger
	mux     *http.ServeMux
	zippers sync.Pool // of *gzip.Writer
}

// New returns the handler.
func New(o Options) http.Handler {
	s := &server{api: o.API, auth: o.Auth, release: o.Release, base: "/" + strings.Trim(o.Base, "/"), log: o.Logger, mux: http.NewServeMux()}
	if o.Base == "" {
		s.base = DefaultBase
	}
	if s.base == "/" {
		s.base = ""
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.auth == nil {
		s.auth = refuseAll{}
	}
	s.zippers.New = func() any {
		z, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
		if err != nil {
			panic(err) // the level is a constant
		}
		return z
	}
	s.register()
	return s
}

// ServeHTTP answers one request: CORS first, then the login, then everything
// else, which needs a token.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	rec := &recorder{ResponseWriter: w}
	defer s.recover(rec, r)
	allowAnyOrigin(rec.Header())
	trimSlash(r)
	switch {
	case r.Method == http.MethodOptions:
		rec.WriteHeader(http.StatusOK)
	case r.URL.Path == s.base+"/"+wire.Login:
		s.login(rec, r)
	default:
		who, err := s.authenticated(r)
		if err != nil {
			s.fail(rec, r, err)
			break
		}
		s.mux.ServeHTTP(rec, r.WithContext(withIdentity(r.Context(), who)))
	}
	s.log.DebugContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path,
		"status", rec.status, "bytes", rec.bytes, "took", time.Since(start))
}

// trimSlash makes "/routers/" mean "/routers", as MidoNet's container does. A
// slash that is escaped is part of a name and stays.
func trimSlash(r *http.Request) {
	escaped := r.URL.EscapedPath()
	n := len(escaped) - len(strings.TrimRight(escaped, "/"))
	r.URL.Path = r.URL.Path[:len(r.URL.Path)-n]
	r.URL.RawPath = strings.TrimRight(r.URL.RawPath, "/")
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
}

// recover turns a panic of a handler into a 500; net/http would cut the
// connection instead.
func (s *server) recover(rec *recorder, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	s.log.ErrorContext(r.Context(), "request panicked", "method", r.Method, "path", r.URL.Path,
		"panic", v, "stack", string(debug.Stack()))
	if rec.status == 0 {
		s.writeError(rec, r, wire.Error{Message: "Internal server error.", Code: http.StatusInternalServerError})
	}
}

// allowAnyOrigin sets the CORS headers that MidoNet sends on every answer.
func allowAnyOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS")
	h.Set("Access-Control-Expose-Headers", "Location")
	h.Set("Access-Control-Allow-Headers", "Origin, X-Auth-Token, X-Auth-Project, Content-Type, Accept, Authorization")
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
