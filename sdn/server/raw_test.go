package server_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/server"
)

const vendor = "application/vnd.org.midonet."

// raw speaks HTTP to an endpoint without the client's help.
type raw struct {
	URL   string
	t     *testing.T
	token string
	http  *http.Client
}

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

func newRaw(t *testing.T, options ...sdntest.Option) *raw {
	return rawAt(t, sdntest.Start(t, options...).URL)
}

// newRawOf serves what the options say; without an authenticator everybody is
// let in.
func newRawOf(t *testing.T, o server.Options) *raw {
	if o.Auth == nil {
		o.Auth = open{}
	}
	s := httptest.NewServer(server.New(o))
	t.Cleanup(s.Close)
	return rawAt(t, s.URL+server.DefaultBase)
}

func rawAt(t *testing.T, url string) *raw {
	r := &raw{URL: url, t: t, http: &http.Client{Transport: &http.Transport{DisableCompression: true}}}
	t.Cleanup(r.http.CloseIdleConnections)
	r.token = r.login()
	return r
}

// login does what the Python client does: a body without a Content-Type, and
// of the answer only the cookie is read.
func (r *raw) login() string {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), "POST", r.URL+"/login", strings.NewReader("{}"))
	require.NoError(r.t, err)
	q.SetBasicAuth(sdntest.User, sdntest.Password)
	q.Header.Set("X-Auth-Project", "admin")
	a := r.send(q)
	require.Equal(r.t, 200, a.status, a.body)
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	_, token, found := strings.Cut(cookie, "=")
	require.True(r.t, found)
	return token
}

func (r *raw) send(q *http.Request) answer {
	r.t.Helper()
	resp, err := r.http.Do(q)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// at is a URI below the base; an absolute one stays.
func (r *raw) at(uri string) string {
	if strings.HasPrefix(uri, "http") {
		return uri
	}
	return r.URL + uri
}

// call sends a request with the token and headers given as "Name: value".
func (r *raw) call(method, uri, body string, headers ...string) answer {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), method, r.at(uri), strings.NewReader(body))
	require.NoError(r.t, err)
	if r.token != "" {
		q.Header.Set("X-Auth-Token", r.token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		q.Header.Set(name, value)
	}
	return r.send(q)
}

// get fetches an object as the Python client does, with `{}` as the body.
func (r *raw) get(uri, media string) map[string]any {
	r.t.Helper()
	a := r.call("GET", uri, "{}", "Accept: "+vendor+media, "Content-Type: "+vendor+media)
	require.Equal(r.t, 200, a.status, a.body)
	require.Equal(r.t, vendor+media, a.header.Get("Content-Type"))
	return r.object(a.body)
}

func (r *raw) object(body string) map[string]any {
	r.t.Helper()
	var dto map[string]any
	require.NoError(r.t, json.Unmarshal([]byte(body), &dto), body)
	return dto
}

// list fetches a collection.
func (r *raw) list(uri, media string) []map[string]any {
	r.t.Helper()
	a := r.call("GET", uri, "{}", "Accept: "+vendor+"collection."+media)
	require.Equal(r.t, 200, a.status, a.body)
	require.Equal(r.t, vendor+"collection."+media, a.header.Get("Content-Type"))
	var dtos []map[string]any
	require.NoError(r.t, json.Unmarshal([]byte(a.body), &dtos), a.body)
	return dtos
}

// create posts an object and follows the Location.
func (r *raw) create(uri, media, body string) map[string]any {
	r.t.Helper()
	a := r.call("POST", uri, body, "Content-Type: "+vendor+media)
	require.Equal(r.t, 201, a.status, a.body)
	require.Empty(r.t, a.body)
	require.True(r.t, strings.HasPrefix(a.header.Get("Location"), r.URL+"/"), "absolute")
	return r.get(a.header.Get("Location"), media)
}

// put replaces an object and reads it back.
func (r *raw) put(uri, media string, body map[string]any) map[string]any {
	r.t.Helper()
	a := r.call("PUT", uri, jsonOf(r.t, body), "Content-Type: "+vendor+media)
	require.Equal(r.t, 204, a.status, a.body)
	require.Empty(r.t, a.body)
	return r.get(uri, media)
}

// bare expects a status without a body.
func (r *raw) bare(status int, method, uri, media, body string) {
	r.t.Helper()
	a := r.call(method, uri, body, "Content-Type: "+vendor+media)
	require.Equal(r.t, status, a.status, a.body)
	require.Empty(r.t, a.body)
}

// refused sends a body and expects an error body; it returns the message.
func (r *raw) refused(status int, method, uri, media, body string) string {
	r.t.Helper()
	a := r.call(method, uri, body, "Content-Type: "+vendor+media, "Accept: */*")
	return r.errorBody(a, status)
}

func (r *raw) errorBody(a answer, status int) string {
	r.t.Helper()
	require.Equal(r.t, status, a.status, a.body)
	require.Equal(r.t, vendor+"Error-v1+json", a.header.Get("Content-Type"))
	e := r.object(a.body)
	require.EqualValues(r.t, status, e["code"])
	message, _ := e["message"].(string)
	return message
}

func text(v any) string { s, _ := v.(string); return s }

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

// keys are the names of an object's properties.
func keys(o map[string]any) []string { return slices.Collect(maps.Keys(o)) }
