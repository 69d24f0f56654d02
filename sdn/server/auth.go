package server

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// Credentials are what a client logs in with.
type Credentials struct {
	User, Password string
	Project        string // X-Auth-Project; may be empty
}

// Token is what a login gives.
type Token struct {
	Key     string
	Expires time.Time // zero: never
}

// Authenticator decides who may use the API. Whoever may, may do everything.
// It must be safe for concurrent use.
type Authenticator interface {
	// Login returns a token, or an error that wraps sdn.ErrUnauthorized.
	Login(ctx context.Context, c Credentials) (Token, error)
	// Check returns an error that wraps sdn.ErrUnauthorized for a token that
	// no login gave, or that has expired.
	Check(ctx context.Context, token string) error
}

// refuseAll is the authenticator of a server that was given none.
type refuseAll struct{}

func (refuseAll) Login(context.Context, Credentials) (Token, error) {
	return Token{}, wire.Refuse(sdn.ErrUnauthorized, "Authentication error")
}

func (refuseAll) Check(context.Context, string) error {
	return wire.Refuse(sdn.ErrUnauthorized, "Authentication error")
}

// expiryLayout is MidoNet's date format, with the month in digits.
const expiryLayout = "Mon, 02-01-2006 15:04:05 MST"

// challenge has two spaces, as MidoNet's has.
const challenge = `Basic  realm="BASIC_AUTH_REALM"`

func (s *server) authenticated(r *http.Request) error {
	token := r.Header.Get("X-Auth-Token")
	if token == "" {
		return wire.Refuse(sdn.ErrUnauthorized, "Authentication error")
	}
	return s.auth.Check(r.Context(), token)
}

// login answers any method, as MidoNet does, and ignores the body.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	c, err := credentials(r.Header)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	t, err := s.auth.Login(r.Context(), c)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	body := struct {
		Key     wire.Text `json:"key"`
		Expires wire.Text `json:"expires"`
	}{Key: wire.Text(t.Key)}
	cookie := "sessionId=" + t.Key
	if !t.Expires.IsZero() {
		at := t.Expires.UTC().Format(expiryLayout)
		body.Expires = wire.Text(at)
		cookie += "; Expires=" + at
	}
	w.Header().Set("Set-Cookie", cookie)
	s.write(w, r, http.StatusOK, wire.TokenType+"; charset=UTF-8", body)
}

// credentials reads the Authorization header. The password may hold colons,
// which MidoNet itself cannot read.
func credentials(h http.Header) (Credentials, error) {
	header := h.Get("Authorization")
	if header == "" {
		return Credentials{}, wire.Refuse(sdn.ErrUnauthorized, "Authorization header is not set.")
	}
	encoded, ok := cutBasic(header)
	if !ok {
		return Credentials{}, wire.Refuse(sdn.ErrUnauthorized, "Authorization header does not contain Basic.")
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	user, password, ok := strings.Cut(string(decoded), ":")
	if err != nil || !ok {
		return Credentials{}, wire.Refuse(sdn.ErrUnauthorized, "Authorization header is not valid")
	}
	return Credentials{User: user, Password: password, Project: h.Get("X-Auth-Project")}, nil
}

// cutBasic removes the scheme, whose letters' case does not matter.
func cutBasic(header string) (string, bool) {
	const scheme = "basic "
	if len(header) < len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return "", false
	}
	return strings.TrimSpace(header[len(scheme):]), true
}

// challengeOn401 adds the header that a 401 needs.
func challengeOn401(h http.Header, err error) {
	if errors.Is(err, sdn.ErrUnauthorized) {
		h.Set("WWW-Authenticate", challenge)
	}
}
