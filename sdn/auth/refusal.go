package auth

import "github.com/moatnet/moat/sdn"

// errRefused is the answer to every wrong user, password and token, in
// MidoNet's words, which tell nobody which of them was wrong.
var errRefused error = refusal{}

type refusal struct{}

func (refusal) Error() string { return "Authentication error" }
func (refusal) Unwrap() error { return sdn.ErrUnauthorized }
