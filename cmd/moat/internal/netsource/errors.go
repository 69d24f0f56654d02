package netsource

import "fmt"

// Error is why a pod's networks are not known. Msg says what is wrong and with
// what, Details what to do about it.
type Error struct {
	Msg     string
	Details string
	Passing bool // trying again may help
	Err     error
}

func (e *Error) Error() string {
	if e.Details == "" {
		return e.Msg
	}
	return e.Msg + "; " + e.Details
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

const (
	correctAnswer = "correct what the network source answers for this pod"
	// longestQuote is how much of what is wrong a message repeats, in bytes.
	longestQuote = 200
)

// wrong is an error in the answer: of the key with the value, and what is wanted.
func wrong(key string, value any, want string) error {
	return &Error{Msg: fmt.Sprintf("network source: %s %.*q is not %s", key, longestQuote, fmt.Sprint(value), want), Details: correctAnswer}
}

// refuse is an error in the answer that no single value makes.
func refuse(format string, args ...any) error {
	return &Error{Msg: "network source: " + fmt.Sprintf(format, args...), Details: correctAnswer}
}
