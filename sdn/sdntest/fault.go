package sdntest

import (
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
	// Answer replies with Fault.Status and an error body, without effect on
	// the topology.
	Answer Effect = iota
	// Delay serves the request after Fault.Latency.
	Delay
	// ResetBefore cuts the connection before the request takes effect.
	ResetBefore
	// ResetAfter cuts it after the request has taken effect.
	ResetAfter
	// Truncate lets the request take effect and cuts the answer in half.
	Truncate
)

// Fault is a rule that makes requests go wrong.
type Fault struct {
	Method  string // "" is every method
	Path    string // pattern of path.Match below the base, such as "/ports/*"; "" is every path
	Times   int    // how many requests it hits; 0 is all
	Effect  Effect
	Status  int           // for Answer
	Latency time.Duration // before the effect

	hits int
}

// Inject adds a rule. The first rule that fits a request is the one that acts.
func (e *Endpoint) Inject(f Fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = append(e.faults, &f)
}

// Heal removes all rules.
func (e *Endpoint) Heal() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = nil
}

// fault finds the rule for a request and counts the hit.
func (e *Endpoint) fault(method, below string) (Fault, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.faults {
		fits, err := path.Match(f.Path, below)
		if f.Path == "" {
			fits = true
		}
		if err != nil || !fits || (f.Method != "" && f.Method != method) || (f.Times > 0 && f.hits >= f.Times) {
			continue
		}
		f.hits++
		return *f, true
	}
	return Fault{}, false
}

// observe records each request and applies the fault that fits it.
func (e *Endpoint) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := Call{
			Method: r.Method, Path: strings.TrimPrefix(r.URL.Path, server.DefaultBase),
			Query: r.URL.RawQuery, Header: r.Header.Clone(),
		}
		f, hit := e.fault(call.Method, call.Path)
		if hit && !waited(r, f.Latency) {
			return
		}
		if hit && f.Effect == ResetBefore {
			e.record(call)
			panic(http.ErrAbortHandler)
		}
		answer := httptest.NewRecorder()
		if hit && f.Effect == Answer {
			answer.Header().Set("Content-Type", wire.ErrorType)
			answer.WriteHeader(f.Status)
			answer.WriteString(`{"message":"injected","code":` + strconv.Itoa(f.Status) + `}`)
		} else {
			next.ServeHTTP(answer, r)
		}
		if hit && f.Effect == ResetAfter {
			e.record(call)
			panic(http.ErrAbortHandler)
		}
		call.Status = answer.Code
		e.record(call)
		deliver(w, answer, hit && f.Effect == Truncate)
	})
}

// waited reports whether the client was still there after the latency.
func waited(r *http.Request, d time.Duration) bool {
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
	if _, err := w.Write(body); err != nil || cut {
		panic(http.ErrAbortHandler)
	}
}
