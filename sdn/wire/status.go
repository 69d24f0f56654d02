package wire

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/moatnet/moat/sdn"
)

// kinds pairs each kind of error with its HTTP status. ErrConflict stands
// before ErrExists: a 409 alone does not tell which of the two it is.
var kinds = []struct {
	kind   error
	status int
}{
	{sdn.ErrNotFound, http.StatusNotFound},
	{sdn.ErrConflict, http.StatusConflict},
	{sdn.ErrExists, http.StatusConflict},
	{sdn.ErrInvalid, http.StatusBadRequest},
	{sdn.ErrForbidden, http.StatusForbidden},
	{sdn.ErrUnauthorized, http.StatusUnauthorized},
	{sdn.ErrUnsupported, http.StatusNotImplemented},
	{sdn.ErrUnavailable, http.StatusServiceUnavailable},
	{sdn.ErrInvalid, http.StatusRequestEntityTooLarge},
	{sdn.ErrUnavailable, http.StatusBadGateway},
	{sdn.ErrUnavailable, http.StatusGatewayTimeout},
	{sdn.ErrUnavailable, http.StatusTooManyRequests},
	{sdn.ErrUnavailable, http.StatusInternalServerError},
}

// Status is the HTTP status for an error: that of its kind, 503 when the time
// was up, else 500.
func Status(err error) int {
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			return k.status
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Kind is the kind of error that a status stands for, or nil.
func Kind(status int) error {
	for _, k := range kinds {
		if k.status == status {
			return k.kind
		}
	}
	return nil
}

// Refuse is an error of a kind whose text reaches the client word for word.
func Refuse(kind error, text string) error { return &refusal{kind: kind, text: text} }

type refusal struct {
	kind error
	text string
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

// Error is the body of an answer that reports an error.
type Error struct {
	Message    Text        `json:"message"`
	Code       int         `json:"code"`
	Violations []Violation `json:"violations,omitempty"`
}

// Violation is one property that failed validation.
type Violation struct {
	Property string `json:"property"`
	Message  string `json:"message"`
}

// NewError is the error body for err: the status of its kind, its text, and
// its violations where it has any. The text of an error without a kind is not
// for the caller.
func NewError(err error) Error {
	e := Error{Message: Text(err.Error()), Code: Status(err)}
	if e.Code == http.StatusInternalServerError {
		e.Message = "Internal server error."
	}
	var invalid *sdn.ValidationError
	if errors.As(err, &invalid) {
		e.Message = "Validation error(s) found"
		for _, v := range invalid.Violations {
			e.Violations = append(e.Violations, Violation(v))
		}
	}
	return e
}

// ReadError returns the server's message and the error to wrap for an answer
// with the given status: the kind, a *sdn.ValidationError, or nil. Bodies that
// are no error body give no message.
func ReadError(status int, body []byte) (message string, kind error) {
	kind = Kind(status)
	var e Error
	if json.Unmarshal(body, &e) != nil {
		return "", kind
	}
	if len(e.Violations) > 0 && errors.Is(kind, sdn.ErrInvalid) {
		invalid := &sdn.ValidationError{}
		for _, v := range e.Violations {
			invalid.Violations = append(invalid.Violations, sdn.Violation(v))
		}
		kind = invalid
	}
	return string(e.Message), kind
}
