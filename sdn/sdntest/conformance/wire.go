package conformance

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/wire"
)

const (
	vendor    = "application/vnd.org.midonet."
	plainJSON = "application/json"
)

// Wire speaks HTTP to a target in the course of one case. What it makes ends
// with the case.
type Wire struct {
	Target
	t      testing.TB
	token  string
	http   *http.Client
	tenant string // of this case alone
}

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// dto is a JSON object.
type dto map[string]any

func newWire(t testing.TB, target Target) *Wire {
	w := &Wire{Target: target, t: t, tenant: "conformance-" + uuid.NewString()}
	w.http = &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(w.http.CloseIdleConnections)
	return w
}

// at is a URI below the base; an absolute one stays.
func (w *Wire) at(uri string) string {
	if strings.HasPrefix(uri, "http") {
		return uri
	}
	return w.URL + uri
}

// request is a request with the token and headers given as "Name: value".
func (w *Wire) request(ctx context.Context, method, uri, body string, headers []string) *http.Request {
	w.t.Helper()
	q, err := http.NewRequestWithContext(ctx, method, w.at(uri), strings.NewReader(body))
	require.NoError(w.t, err)
	if w.token != "" {
		q.Header.Set("X-Auth-Token", w.token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		q.Header.Set(name, value)
	}
	return q
}

func (w *Wire) send(q *http.Request) answer {
	w.t.Helper()
	resp, err := w.http.Do(q)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func (w *Wire) call(method, uri, body string, headers ...string) answer {
	w.t.Helper()
	return w.send(w.request(w.t.Context(), method, uri, body, headers))
}

// typed is a call with the headers that a resource of a type wants.
func (w *Wire) typed(method, uri, media, body string) answer {
	w.t.Helper()
	return w.call(method, uri, body, "Content-Type: "+w.type5(media), "Accept: "+w.type5(media))
}

// type5 is the media type that the target's release uses for a short name of
// 5.x, such as "Router-v3". Full types stay.
func (w *Wire) type5(media string) string {
	if strings.Contains(media, "/") {
		return media
	}
	list := ""
	if rest, is := strings.CutPrefix(media, "collection."); is {
		media, list = rest, "collection."
	}
	if w.Release == wire.V1 {
		if old, differs := v1Types[media]; differs {
			media = old
		}
	}
	return vendor + list + media + "+json"
}

// v1Types are the types of 1.9 for those of 5.x that it lacks.
var v1Types = map[string]string{
	"Application-v5": "Application-v4", "Router-v3": "Router-v2", "Bridge-v4": "Bridge-v3", "Bridge-v5": "Bridge-v3",
	"Port-v3": "Port-v2", "Port-v4": "Port-v2", "Tenant-v2": "Tenant-v1",
}

// login does what MidoNet's Python client does: a body without a Content-Type,
// and of the answer only the cookie is read.
func (w *Wire) login() string {
	w.t.Helper()
	q := w.request(w.t.Context(), "POST", "/login", "{}", nil)
	q.SetBasicAuth(w.User, w.Password)
	if w.Project != "" {
		q.Header.Set("X-Auth-Project", w.Project)
	}
	a := w.send(q)
	require.Equal(w.t, 200, a.status, a.body)
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	_, token, found := strings.Cut(cookie, "=")
	require.True(w.t, found, "the cookie names the token")
	return token
}

// get fetches an object.
func (w *Wire) get(uri, media string) dto {
	w.t.Helper()
	a := w.typed("GET", uri, media, "")
	require.Equal(w.t, 200, a.status, "GET %s: %s", uri, a.body)
	require.Equal(w.t, w.type5(media), a.header.Get("Content-Type"))
	return w.object(a.body)
}

func (w *Wire) object(body string) dto {
	w.t.Helper()
	var d dto
	require.NoError(w.t, json.Unmarshal([]byte(body), &d), body)
	return d
}

// list fetches a collection.
func (w *Wire) list(uri, media string) []dto {
	w.t.Helper()
	if !strings.Contains(media, "/") {
		media = "collection." + media
	}
	a := w.call("GET", uri, "", "Accept: "+w.type5(media))
	require.Equal(w.t, 200, a.status, "GET %s: %s", uri, a.body)
	require.Equal(w.t, w.type5(media), a.header.Get("Content-Type"))
	var ds []dto
	require.NoError(w.t, json.Unmarshal([]byte(a.body), &ds), a.body)
	require.NotNil(w.t, ds, "an empty list is [], not null")
	return ds
}

// create posts an object, follows the Location and removes it at the end.
func (w *Wire) create(uri, media string, body dto) dto {
	w.t.Helper()
	a := w.typed("POST", uri, media, w.json(body))
	require.Equal(w.t, 201, a.status, "POST %s %v: %s", uri, body, a.body)
	require.Empty(w.t, a.body)
	location := a.header.Get("Location")
	require.True(w.t, strings.HasPrefix(location, w.URL+"/"), "Location %q is absolute", location)
	w.removeLater(location)
	return w.get(location, media)
}

// removeLater deletes what a URI names when the case ends, if it is still there.
func (w *Wire) removeLater(uri string) {
	ctx := context.WithoutCancel(w.t.Context())
	q := w.request(ctx, "DELETE", uri, "", nil)
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if a := w.send(q.WithContext(ctx)); a.status >= 500 {
			w.t.Errorf("DELETE %s: %d %s", uri, a.status, a.body)
		}
	})
}

// put replaces an object.
func (w *Wire) put(uri, media string, body dto) {
	w.t.Helper()
	a := w.typed("PUT", uri, media, w.json(body))
	require.Equal(w.t, 204, a.status, "PUT %s %v: %s", uri, body, a.body)
	require.Empty(w.t, a.body)
}

// remove deletes an object that is there.
func (w *Wire) remove(uri string) {
	w.t.Helper()
	a := w.call("DELETE", uri, "")
	require.Equal(w.t, 204, a.status, "DELETE %s: %s", uri, a.body)
	require.Empty(w.t, a.body)
}

// refuse posts a body that must be refused and returns the message.
func (w *Wire) refuse(status int, uri, media string, body dto) string {
	w.t.Helper()
	return w.errorBody(status, w.typed("POST", uri, media, w.json(body)))
}

// errorBody checks an error body and returns its message.
func (w *Wire) errorBody(status int, a answer) string {
	w.t.Helper()
	require.Equal(w.t, status, a.status, a.body)
	require.Equal(w.t, vendor+"Error-v1+json", a.header.Get("Content-Type"))
	e := w.object(a.body)
	require.EqualValues(w.t, status, e["code"], "code equals the status")
	require.Contains(w.t, e, "message")
	message, _ := e["message"].(string)
	return message
}

// violates posts a body that breaks a bound of a property.
func (w *Wire) violates(property, uri, media string, body dto) {
	w.t.Helper()
	a := w.typed("POST", uri, media, w.json(body))
	require.Equal(w.t, "Validation error(s) found", w.errorBody(400, a))
	require.Contains(w.t, w.violations(a), property, a.body)
}

// violations lists the properties that an error body names.
func (w *Wire) violations(a answer) []string {
	w.t.Helper()
	list, is := w.object(a.body)["violations"].([]any)
	require.True(w.t, is, a.body)
	var names []string
	for _, v := range list {
		one, is := v.(map[string]any)
		require.True(w.t, is, a.body)
		require.NotEmpty(w.t, one["message"])
		names = append(names, text(one["property"]))
	}
	return names
}

// missing checks that a URI names nothing any more.
func (w *Wire) missing(uri string) {
	w.t.Helper()
	w.errorBody(404, w.call("GET", uri, "", "Accept: */*"))
}

func (w *Wire) json(v any) string {
	w.t.Helper()
	data, err := json.Marshal(v)
	require.NoError(w.t, err)
	return string(data)
}

// same compares values as JSON.
func (w *Wire) same(want, got any, about ...any) {
	w.t.Helper()
	require.JSONEq(w.t, w.json(want), w.json(got), about...)
}

// with is a copy of an object with a property set.
func (d dto) with(property string, value any) dto {
	out := dto{}
	for k, v := range d {
		out[k] = v
	}
	out[property] = value
	return out
}

// without is a copy of an object that lacks a property.
func (d dto) without(property string) dto {
	out := d.with(property, nil)
	delete(out, property)
	return out
}

// text is a property that is a string.
func (d dto) text(property string) string { return text(d[property]) }

func text(v any) string { s, _ := v.(string); return s }

// ids lists the IDs of a collection.
func ids(ds []dto) []string {
	out := make([]string, len(ds))
	for i, d := range ds {
		out[i] = d.text("id")
	}
	return out
}
