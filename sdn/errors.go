package sdn

import (
	"errors"
	"fmt"
	"strings"
)

// The kinds of error that the API knows; every error of an API method wraps
// at most one of them. The REST dialect maps each to one HTTP status.
var (
	// ErrNotFound: the object, or one that it refers to, does not exist (404).
	ErrNotFound = errors.New("not found")
	// ErrExists: an object with this ID exists already (409).
	ErrExists = errors.New("already exists")
	// ErrConflict: the object's state forbids the change, such as a port that
	// is linked already or a host without a living engine (409).
	ErrConflict = errors.New("conflict")
	// ErrInvalid: the input is wrong (400).
	ErrInvalid = errors.New("invalid")
	// ErrForbidden: the caller may not do this (403).
	ErrForbidden = errors.New("forbidden")
	// ErrUnauthorized: the login was refused or the token is unknown (401).
	ErrUnauthorized = errors.New("unauthorized")
	// ErrUnsupported: valid, but this engine cannot express it (501).
	ErrUnsupported = errors.New("not supported")
	// ErrUnavailable: a part that the call needs cannot be reached; the same
	// call may succeed later (503).
	ErrUnavailable = errors.New("unavailable")
	// ErrFull: what keeps the topology takes no writes until there is room in it; a
	// kind of ErrUnavailable.
	ErrFull = fmt.Errorf("%w: its store is full", ErrUnavailable)
)

// Violation is one field that failed validation.
type Violation struct {
	Property string // JSON name of the field
	Message  string
}

// ValidationError lists all fields that are wrong. It wraps ErrInvalid.
type ValidationError struct{ Violations []Violation }

func (e *ValidationError) Error() string {
	parts := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		parts[i] = fmt.Sprintf("%s: %s", v.Property, v.Message)
	}
	return strings.Join(parts, "; ")
}

// Unwrap makes errors.Is(err, ErrInvalid) hold.
func (e *ValidationError) Unwrap() error { return ErrInvalid }
