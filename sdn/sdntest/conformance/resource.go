package conformance

import (
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// resource describes objects of one type well enough to prove its fields by
// table.
type resource struct {
	prefix string // of its cells, such as "3.1.router"
	media  string // short name in 5.x, such as "Router-v3"
	puts   bool   // PUT is offered
	noID   bool   // there is no property id
	// prepare makes what objects need around them.
	prepare func(w *Wire) setting
}

// setting is where objects of a resource can be made.
type setting struct {
	collection string         // URI to post to
	least      dto            // the least body
	around     map[string]dto // what was made for it
	vary       func(dto) dto  // makes a further body that does not clash; nil: none clash
}

func (s setting) body() dto {
	if s.vary == nil {
		return s.least.with("id", uuid.NewString())
	}
	return s.vary(s.least)
}

// field describes one property. A value may be a func(*Wire, setting) any, and
// a good one a pair.
type field struct {
	name  string
	unset any                                 // what GET shows when POST leaves it out; anything: not compared
	good  []any                               // values that come back as sent
	bad   []bad                               // values that are refused
	kept  any                                 // a value that PUT must not set
	link  string                              // for read-only links: the path behind the object's URI
	fixed func(w *Wire, s setting, o dto) any // for other read-only properties
	lie   any                                 // what clients send in vain for a read-only property; nil: a URI
	more  dto                                 // properties that are sent along
	less  []string                            // properties that PUT leaves out, because they outdo this one
	also  func(*Wire) dto                     // properties that give a read-only one its value
}

// pair is a value that is shown otherwise than it was sent.
type pair struct{ sent, shown any }

// bad is a value that is refused with a status; 400 names the property among
// the violations unless plain is set, 501 in the message.
type bad struct {
	value  any
	status int
	plain  bool
}

type marker string

// anything stands for a value that is not compared.
const anything = marker("anything")

// value evaluates the functions among the values.
func value(w *Wire, s setting, v any) any {
	if f, is := v.(func(*Wire, setting) any); is {
		return f(w, s)
	}
	return v
}

// cases makes one case for each field.
func (r resource) cases(fields ...field) []Case {
	out := make([]Case, len(fields))
	for i, f := range fields {
		out[i] = proves(r.prefix+".field."+f.name, func(w *Wire) { r.prove(w, f) })
	}
	return out
}

func (r resource) prove(w *Wire, f field) {
	s := r.prepare(w)
	least := s.body()
	if f.unset != anything && f.fixed == nil {
		least = least.without(f.name)
	}
	made := w.create(s.collection, r.media, least)
	require.Contains(w.t, made, f.name)
	if f.link != "" || f.fixed != nil {
		r.proveReadOnly(w, f, s, made)
		return
	}
	if f.unset != anything {
		w.same(value(w, s, f.unset), made[f.name], "unset")
		if _, flag := f.unset.(bool); !flag {
			null := w.create(s.collection, r.media, f.along(s).with(f.name, nil))
			w.same(value(w, s, f.unset), null[f.name], "null")
		}
	}
	for _, g := range f.good {
		r.proveGood(w, f, s, g)
	}
	for _, b := range f.bad {
		r.proveBad(w, f, s, b)
	}
	if f.kept != nil {
		w.put(made.text("uri"), r.media, made.with(f.name, value(w, s, f.kept)))
		w.same(made[f.name], w.get(made.text("uri"), r.media)[f.name], "kept by PUT")
	}
}

// along is a body with what the field needs beside it.
func (f field) along(s setting) dto {
	b := s.body()
	for k, v := range f.more {
		b[k] = v
	}
	return b
}

// proveReadOnly sends another value with POST and PUT, which must be ignored.
func (r resource) proveReadOnly(w *Wire, f field, s setting, made dto) {
	w.t.Helper()
	want := func(o dto) any {
		if f.fixed != nil {
			return f.fixed(w, s, o)
		}
		return o.text("uri") + f.link
	}
	w.same(want(made), made[f.name])
	lie := f.lie
	if lie == nil {
		lie = "http://192.0.2.1/lie"
	}
	body := f.along(s).with(f.name, lie)
	if f.also != nil {
		for k, v := range f.also(w) {
			body[k] = v
		}
	}
	again := w.create(s.collection, r.media, body)
	w.same(want(again), again[f.name], "POST does not set it")
	if r.puts {
		w.put(made.text("uri"), r.media, made.with(f.name, lie))
		w.same(want(made), w.get(made.text("uri"), r.media)[f.name], "PUT does not set it")
	}
}

func (r resource) proveGood(w *Wire, f field, s setting, v any) {
	w.t.Helper()
	sent := value(w, s, v)
	shown := sent
	if p, is := sent.(pair); is {
		sent, shown = p.sent, p.shown
	}
	o := w.create(s.collection, r.media, f.along(s).with(f.name, sent))
	w.same(shown, o[f.name], "POST of %v", sent)
	if !r.puts || f.kept != nil {
		return
	}
	plain := w.create(s.collection, r.media, f.along(s))
	for _, name := range f.less {
		delete(plain, name)
	}
	w.put(plain.text("uri"), r.media, plain.with(f.name, sent))
	w.same(shown, w.get(plain.text("uri"), r.media)[f.name], "PUT of %v", sent)
	if f.unset != anything {
		w.put(o.text("uri"), r.media, o.without(f.name))
		w.same(value(w, s, f.unset), w.get(o.text("uri"), r.media)[f.name], "PUT without it")
	}
}

// proveBad posts a value that must be refused, and looks that nothing was
// stored.
func (r resource) proveBad(w *Wire, f field, s setting, b bad) {
	w.t.Helper()
	v := value(w, s, b.value)
	body := f.along(s).with(f.name, v)
	before := w.list(s.collection, r.media)
	a := w.typed("POST", s.collection, r.media, w.json(body))
	message := w.errorBody(b.status, a)
	switch {
	case b.status == 400 && !b.plain:
		require.Equal(w.t, "Validation error(s) found", message)
		require.Contains(w.t, w.violations(a), f.name, a.body)
	case b.status == 404:
		require.Regexp(w.t, `^There is no [A-Za-z]+ with ID `, message)
	case b.status == 501:
		require.Contains(w.t, message, f.name)
	}
	after := w.list(s.collection, r.media)
	if r.noID || f.name == "id" {
		require.Len(w.t, after, len(before), "%v stored nothing", v)
	} else {
		require.NotContains(w.t, ids(after), body.text("id"), "%v stored nothing", v)
	}
}

// noSuchID is the ID of nothing.
func noSuchID(*Wire, setting) any { return uuid.NewString() }

// reference is a field that names a chain, or null.
func chainReference(name string) field {
	return field{
		name: name, good: []any{func(w *Wire, s setting) any { return w.chain().text("id") }},
		bad: []bad{{value: "no-uuid", status: 400}, {value: noSuchID, status: 404}},
	}
}

// mirrors is a list that must stay empty.
func emptyList(name string) field {
	return field{name: name, unset: []any{}, good: []any{[]any{}}, bad: []bad{{value: func(*Wire, setting) any { return []any{uuid.NewString()} }, status: 501}}}
}

// nullOnly is an ID that must stay null.
func nullOnly(name string) field {
	return field{name: name, bad: []bad{{value: noSuchID, status: 501}}}
}

// nameField is a name of at most 255 characters.
func nameField() field {
	return field{
		name: "name", good: []any{"n", `"quoted" <ü> 日本`, strings.Repeat("ü", 255)},
		bad: []bad{{value: strings.Repeat("x", 256), status: 400}},
	}
}

// ownURI is the object's own address, as the Location and the list name it.
func ownURI(path func(o dto) string) field {
	return field{name: "uri", fixed: func(w *Wire, _ setting, o dto) any { return w.URL + path(o) }}
}

// idField is an ID that the client may choose and PUT keeps.
func idField(puts bool) field {
	f := field{name: "id", unset: anything, good: []any{func(*Wire, setting) any { return uuid.NewString() }},
		bad: []bad{{value: "no-uuid", status: 400}}}
	if puts {
		f.kept = func(*Wire, setting) any { return uuid.NewString() }
	}
	return f
}
