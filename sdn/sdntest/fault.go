package sdntest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/wire"
)

// Effect is what a fault does to a request.
type Effect int

// The effects.
const (
	// Answer replies with Fault.Status, Fault.Header and Fault.Body, without
	// effect on the topology.
	Answer Effect = iota
	// Delay serves the request after Fault.Latency.
	Delay
	// Hang never answers, without effect on the topology.
	Hang
	// ResetBefore cuts the connection before the request takes effect.
	ResetBefore
	// ResetAfter cuts it after the request has taken effect.
	ResetAfter
	// Truncate lets the request take effect and cuts the answer in half.
	Truncate
	// Retype lets the request take effect and answers it as text/html, with
	// Fault.Body in place of the body when there is one.
	Retype
)

// Fault is a rule that makes requests go wrong.
type Fault struct {
	Method  string // "" is every method
	Path    string // pattern of path.Match below the base, such as "/ports/*"; "" is every path
	Skip    int    // how many requests that fit it lets pass first
	Times   int    // how many it hits then; 0 is all
	Effect  Effect
	Status  int           // for Answer
	Header  http.Header   // for Answer, such as Retry-After
	Body    string        // for Answer, an error body when empty; for Retype
	Latency time.Duration // before the effect

	met, hits int
}

// Inject adds a rule. The first rule that fits a request is the one that acts.
func (e *Endpoint) Inject(f Fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = append(e.faults, &f)
}

// Heal removes all rules and reports how many requests they hit.
func (e *Endpoint) Heal() (hits int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.faults {
		hits += f.hits
	}
	e.faults = nil
	return hits
}

// fault finds the rule for a request and counts the hit.
func (e *Endpoint) fault(method, below string) (Fault, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.faults {
		if !f.fits(method, below) {
			continue
		}
		if f.met++; f.met <= f.Skip || f.Times > 0 && f.hits >= f.Times {
			continue
		}
		f.hits++
		return *f, true
	}
	return Fault{}, false
}

func (f *Fault) fits(method, below string) bool {
	if f.Method != "" && f.Method != method {
		return false
	}
	fits, err := path.Match(f.Path, below)
	return f.Path == "" || fits && err == nil
}

// observe records each request and applies the fault that fits it.
func (e *Endpoint) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := Call{
			Method: r.Method, Path: strings.TrimPrefix(r.URL.Path, server.DefaultBase),
			Query: r.URL.RawQuery, Header: r.Header.Clone(),
		}
		f, hit := e.fault(call.Method, call.Path)
		if !hit {
			f = Fault{Effect: Delay}
		}
		if f.Effect == Hang {
			f.Latency = time.Hour
		}
		if !e.waited(r, f.Latency) || f.Effect == ResetBefore || f.Effect == Hang {
			e.record(call)
			panic(http.ErrAbortHandler)
		}
		var body bytes.Buffer
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, &body), r.Body}
		answer := f.serve(next, r)
		call.Body = body.Bytes()
		if f.Effect == ResetAfter {
			e.record(call)
			panic(http.ErrAbortHandler)
		}
		call.Status = answer.Code
		e.record(call)
		deliver(w, answer, f.Effect == Truncate)
	})
}

// serve makes the answer to a request.
func (f Fault) serve(next http.Handler, r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	switch f.Effect {
	case Answer:
		answer.Header().Set("Content-Type", wire.ErrorType)
		for name, values := range f.Header {
			answer.Header()[name] = values
		}
		if f.Body == "" {
			f.Body = `{"message":"injected","code":` + strconv.Itoa(f.Status) + `}`
		}
		answer.WriteHeader(f.Status)
		answer.WriteString(f.Body)
	case Retype:
		next.ServeHTTP(answer, r)
		answer.Header().Set("Content-Type", "text/html; charset=utf-8")
		if f.Body != "" && answer.Body.Len() > 0 {
			answer.Header().Del("Content-Length")
			answer.Header().Del("Content-Encoding")
			answer.Body = bytes.NewBufferString(f.Body)
		}
	default:
		next.ServeHTTP(answer, r)
	}
	return answer
}

// waited reports whether client and test were still there after the latency.
func (e *Endpoint) waited(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	case <-e.end:
		return false
	}
}

// deliver sends an answer, or the first half of its body and then a reset.
func deliver(w http.ResponseWriter, answer *httptest.ResponseRecorder, cut bool) {
	for k, v := range answer.Header() {
		w.Header()[k] = v
	}
	body := answer.Body.Bytes()
	if cut {
		w.Header().Set("Content-Length", strconv.Itoa(max(len(body), 2)))
		body = body[:len(body)/2]
	}
	w.WriteHeader(answer.Code)
	if len(body) == 0 && !cut {
		return
	}
	if _, err := w.Write(body); err != nil || cut {
		panic(http.ErrAbortHandler)
	}
}
