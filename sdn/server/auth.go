package server

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/wire"
)

// refuseAll is the authenticator of a server that was given none.
type refuseAll struct{}

func (refuseAll) Login(context.Context, access.Credentials) (access.Token, error) {
	return access.Token{}, wire.Refuse(sdn.ErrUnauthorized, "Authentication error")
}

func (refuseAll) Check(context.Context, string) (access.Identity, error) {
	return access.Identity{}, wire.Refuse(sdn.ErrUnauthorized, "Authentication error")
}

// expiryLayout is MidoNet's date format, with the month in digits.
const expiryLayout = "Mon, 02-01-2006 15:04:05 MST"

// challenge has two spaces, as MidoNet's has.
const challenge = `Basic  realm="BASIC_AUTH_REALM"`

func (s *server) authenticated(r *http.Request) (access.Identity, error) {
	token := r.Header.Get("X-Auth-Token")
	if token == "" {
		return access.Identity{}, wire.Refuse(sdn.ErrUnauthorized, "Authentication error")
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
func credentials(h http.Header) (access.Credentials, error) {
	header := h.Get("Authorization")
	if header == "" {
		return access.Credentials{}, wire.Refuse(sdn.ErrUnauthorized, "Authorization header is not set.")
	}
	encoded, ok := cutBasic(header)
	if !ok {
		return access.Credentials{}, wire.Refuse(sdn.ErrUnauthorized, "Authorization header does not contain Basic.")
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	user, password, ok := strings.Cut(string(decoded), ":")
	if err != nil || !ok {
		return access.Credentials{}, wire.Refuse(sdn.ErrUnauthorized, "Authorization header is not valid")
	}
	return access.Credentials{User: user, Password: password, Project: h.Get("X-Auth-Project")}, nil
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
