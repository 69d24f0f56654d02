package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/moatnet/moat/sdn"
)

// maxAnswer bounds an answer of Keystone's, in bytes.
const maxAnswer = 4 << 20

// errAway is all that a client hears of a Keystone that does not answer as it
// should; the log hears why.
var errAway = fmt.Errorf("Keystone gives no answer: %w", sdn.ErrUnavailable)

// response is an answer of Keystone's, read whole.
type response struct {
	status  int
	subject string // the token that it is about
	body    []byte
}

// call makes one request. Body nil sends none. It fails when there is no answer,
// with errAway unless ctx has ended.
func (k *Keystone) call(ctx context.Context, method, url string, body any, headers map[string]string) (response, error) {
	r, err := k.exchange(ctx, method, url, body, headers)
	switch {
	case err == nil:
		return r, nil
	case ctx.Err() != nil:
		return response{}, fmt.Errorf("ask Keystone: %w", ctx.Err())
	}
	return response{}, k.away("no answer", "method", method, "url", url, "err", err)
}

// away logs why there is no answer that is of use.
func (k *Keystone) away(why string, about ...any) error {
	k.log.Warn("Keystone: "+why, about...)
	return errAway
}

func (k *Keystone) exchange(ctx context.Context, method, url string, body any, headers map[string]string) (response, error) {
	var text io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return response{}, err
		}
		text = bytes.NewReader(b)
	}
	q, err := http.NewRequestWithContext(ctx, method, url, text)
	if err != nil {
		return response{}, err
	}
	q.Header.Set("Accept", "application/json")
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	for name, value := range headers {
		q.Header.Set(name, value)
	}
	resp, err := k.http.Do(q)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return response{}, err
	}
	if len(got) > maxAnswer {
		return response{}, errors.New("the answer is too long")
	}
	return response{status: resp.StatusCode, subject: resp.Header.Get("X-Subject-Token"), body: got}, nil
}

// authenticate asks for a token by password.
func (k *Keystone) authenticate(ctx context.Context, w tokenWish) (string, shownToken, error) {
	r, err := k.call(ctx, http.MethodPost, k.o.URL+"/auth/tokens", w, nil)
	if err != nil {
		return "", shownToken{}, err
	}
	switch r.status {
	case http.StatusCreated:
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return "", shownToken{}, errRefused
	default:
		return "", shownToken{}, k.away("a login is answered by an unexpected status", "status", r.status)
	}
	shown, ok := readToken(r.body)
	if !ok || !plausible(r.subject) {
		return "", shownToken{}, k.away("the answer to a login cannot be read")
	}
	return r.subject, shown, nil
}

// asService makes a request with the token of the service user, and once more
// with a new one when Keystone does not know it any longer.
func (k *Keystone) asService(ctx context.Context, url string, headers map[string]string) (response, error) {
	with := map[string]string{}
	for name, value := range headers {
		with[name] = value
	}
	var token string
	for range 2 {
		var err error
		if token, err = k.serviceToken(ctx, token); err != nil {
			return response{}, err
		}
		with["X-Auth-Token"] = token
		r, err := k.call(ctx, http.MethodGet, url, nil, with)
		if err != nil || r.status != http.StatusUnauthorized {
			return r, err
		}
	}
	return response{}, k.away("the token of the service user is refused", "user", k.o.Username)
}

// serviceToken returns one that is not the refused one. Callers share the outcome of
// the login that is under way.
func (k *Keystone) serviceToken(ctx context.Context, refused string) (string, error) {
	if token := k.goodToken(refused); token != "" {
		return token, nil
	}
	done := k.service.login.DoChan("", func() (any, error) {
		if token := k.goodToken(refused); token != "" { // of the login before
			return token, nil
		}
		return k.serviceLogin(context.WithoutCancel(ctx)) // it ends with the timeout of http
	})
	select {
	case r := <-done:
		token, _ := r.Val.(string)
		return token, r.Err
	case <-ctx.Done():
		return "", fmt.Errorf("wait for Keystone: %w", ctx.Err())
	}
}

// goodToken is "" when a login is needed.
func (k *Keystone) goodToken(refused string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := &k.service
	if s.token == refused || !k.now().Before(s.expires.Add(-renewBefore)) {
		return ""
	}
	return s.token
}

func (k *Keystone) serviceLogin(ctx context.Context) (string, error) {
	token, shown, err := k.authenticate(ctx, newWish(k.o.Username, k.o.Password, k.o.Project, k.o.Domain))
	if errors.Is(err, errRefused) {
		return "", k.away("the service user may not log in", "user", k.o.Username, "project", k.o.Project)
	}
	if err != nil {
		return "", err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.service.token, k.service.expires = token, shown.Expires
	return token, nil
}
