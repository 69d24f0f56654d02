package client

import (
	"fmt"

	"github.com/moatnet/moat/sdn/wire"
)

// Error is a call that failed. It wraps the kind of error (package sdn), a
// *sdn.ValidationError where the server named fields, and the cause below it.
type Error struct {
	Method, Path string
	Status       int    // 0: no answer came
	Message      string // the server's words; may be empty
	Err          error  // kind and cause; may be nil
}

func (e *Error) Error() string {
	s := e.Method + " " + e.Path
	if e.Status != 0 {
		s += fmt.Sprintf(": status %d", e.Status)
	}
	switch {
	case e.Message != "" && e.Status != 0:
		return s + ": " + e.Message
	case e.Err != nil:
		return s + ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns kind and cause.
func (e *Error) Unwrap() error { return e.Err }

// refused makes the error for an answer that is no success.
func (q request) refused(a reply) *Error {
	message, kind := wire.ReadError(a.status, a.body)
	return &Error{Method: q.method, Path: q.path, Status: a.status, Message: message, Err: kind}
}

// failed makes the error for a call that got no answer, or one of no use.
func (q request) failed(err error) *Error {
	return &Error{Method: q.method, Path: q.path, Err: err}
}

// wrong makes the error for an answer that is JSON and not what it should be.
func (q request) wrong(a reply, err error) *Error {
	return &Error{Method: q.method, Path: q.path, Status: a.status, Message: "the answer is wrong: " + err.Error()}
}
