package server

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// answer is what an operation replies with when it did not fail.
type answer struct {
	status   int
	location string
	body     any // nil: none
}

// shown is a list, item by item in its representation.
func shown[N, D any](items []N, err error, show func(N) D) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	list := make([]D, len(items))
	for i, item := range items {
		list[i] = show(item)
	}
	return answer{status: http.StatusOK, body: list}, nil
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

func created(location wire.Text, body any) answer {
	return answer{status: http.StatusCreated, location: string(location), body: body}
}

func noContent(err error) (answer, error) { return answer{status: http.StatusNoContent}, err }

// gone is noContent for the kinds of object that may be deleted twice.
func gone(err error) (answer, error) {
	if errors.Is(err, sdn.ErrNotFound) {
		err = nil
	}
	return noContent(err)
}

// fail answers with an error body.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := wire.NewError(err)
	switch {
	case errors.Is(err, errTooLarge):
		e.Code = http.StatusRequestEntityTooLarge
	case errors.Is(err, errEncoding):
		e.Code = http.StatusUnsupportedMediaType
	}
	switch e.Code {
	case http.StatusInternalServerError:
		s.log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	case http.StatusServiceUnavailable:
		retryLater(w.Header())
	}
	challengeOn401(w.Header(), err)
	s.writeError(w, r, e)
}

func (s *server) writeError(w http.ResponseWriter, r *http.Request, e wire.Error) {
	s.write(w, r, e.Code, wire.ErrorType, e)
}

// write sends a body, packed when the client can unpack it.
func (s *server) write(w http.ResponseWriter, r *http.Request, status int, media string, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		s.log.ErrorContext(r.Context(), "answer cannot be written as JSON", "path", r.URL.Path, "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", media)
	h.Add("Vary", "Accept-Encoding")
	if quality(r.Header.Values("Accept-Encoding"), "gzip") == 0 {
		h.Set("Content-Length", strconv.Itoa(len(data)))
		w.WriteHeader(status)
		_, err = w.Write(data)
	} else {
		h.Set("Content-Encoding", "gzip")
		w.WriteHeader(status)
		err = s.zip(w, data)
	}
	if err != nil {
		s.log.DebugContext(r.Context(), "answer cut short", "path", r.URL.Path, "err", err)
	}
}

func (s *server) zip(w http.ResponseWriter, data []byte) error {
	z, _ := s.zippers.Get().(*gzip.Writer)
	defer s.zippers.Put(z)
	z.Reset(w)
	if _, err := z.Write(data); err != nil {
		return err
	}
	return z.Close()
}

// wantsBody reports whether the client asked for the object that a POST made
// (RFC 7240), which saves it the GET that otherwise follows.
func wantsBody(r *http.Request) bool {
	for _, v := range r.Header.Values("Prefer") {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), "return=representation") {
				return true
			}
		}
	}
	return false
}
