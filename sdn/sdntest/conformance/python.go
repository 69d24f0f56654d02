package conformance

import (
	"net/url"
	"strings"

	"github.com/stretchr/testify/require"
)

// python speaks as MidoNet's Python client does: a body with every request,
// `{}` where there is nothing to say, whole objects with PUT, and of a login
// the cookie alone.
type python struct {
	*Wire
	root dto
}

func newPython(w *Wire) *python {
	w.token = w.login()
	p := &python{Wire: w}
	p.root = p.read(w.URL, "Application-v5")
	return p
}

// read fetches an object with both headers.
func (p *python) read(uri, media string) dto {
	p.t.Helper()
	a := p.call("GET", uri, "{}", "Content-Type: "+p.type5(media), "Accept: "+p.type5(media))
	require.Equal(p.t, 200, a.status, a.body)
	return p.object(a.body)
}

// all fetches a collection; null and no body are the empty list.
func (p *python) all(uri, media string, query url.Values) []dto {
	p.t.Helper()
	if len(query) > 0 {
		uri += "?" + query.Encode()
	}
	a := p.call("GET", uri, "{}", "Accept: "+p.type5("collection."+media))
	require.Equal(p.t, 200, a.status, a.body)
	var list []dto
	if a.body != "" {
		list = p.objects(a.body)
	}
	return list
}

func (w *Wire) objects(body string) []dto {
	w.t.Helper()
	return values[dto](w, w.object(`{"list":` + body + `}`)["list"])
}

func values[T ~map[string]any](w *Wire, v any) []T {
	w.t.Helper()
	list, is := v.([]any)
	require.True(w.t, is, "%v is a list", v)
	out := make([]T, len(list))
	for i, item := range list {
		one, is := item.(map[string]any)
		require.True(w.t, is, "%v is an object", item)
		out[i] = one
	}
	return out
}

// make posts an object and reads what the Location names.
func (p *python) make(uri, media string, body dto) dto {
	p.t.Helper()
	a := p.call("POST", uri, p.json(body), "Content-Type: "+p.type5(media))
	require.LessOrEqual(p.t, a.status, 300, a.body)
	location := a.header.Get("location")
	require.NotEmpty(p.t, location, "the client ends with a KeyError without it")
	p.removeLater(location)
	return p.read(location, media)
}

// update puts the whole object and reads it again.
func (p *python) update(o dto, media string) dto {
	p.t.Helper()
	a := p.call("PUT", o.text("uri"), p.json(o), "Content-Type: "+p.type5(media))
	require.LessOrEqual(p.t, a.status, 300, a.body)
	return p.read(o.text("uri"), media)
}

func (p *python) delete(uri string) {
	p.t.Helper()
	a := p.call("DELETE", uri, "{}")
	require.LessOrEqual(p.t, a.status, 300, a.body)
}

// template fills in the ID of a template of the root.
func (p *python) template(key, id string) string {
	return strings.Replace(p.root.text(key), "{id}", id, 1)
}

func (p *python) router() dto {
	p.t.Helper()
	return p.make(p.root.text("routers"), "Router-v3", p.named())
}

func (p *python) bridge() dto {
	p.t.Helper()
	return p.make(p.root.text("bridges"), "Bridge-v4", p.named())
}

func (p *python) chain() dto {
	p.t.Helper()
	return p.make(p.root.text("chains"), "Chain-v1", p.named())
}

// linkWhole posts the whole port with peerId set, as link() does.
func (p *python) linkWhole(port, peer dto) {
	p.t.Helper()
	a := p.call("POST", port.text("link"), p.json(port.with("peerId", peer["id"])), "Content-Type: "+p.type5("PortLink-v1"))
	require.LessOrEqual(p.t, a.status, 300, a.body)
}
