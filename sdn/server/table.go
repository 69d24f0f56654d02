package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// call is one request on its way through an operation.
type call struct {
	*http.Request
	uris wire.URIs
	body []byte
}

// operation is one method of one resource.
type operation struct {
	takes []string // media types of the body; nil: a body is ignored
	gives []string // media types of the answer; nil: it has no body
	// manual marks what MidoNet wrote without its generic handlers: a wrong
	// Content-Type is 415 there, not 406, and absent headers match anything.
	manual bool
	do     func(*call) (answer, error)
}

// resource is one path with its operations by method.
type resource struct {
	*server
	operations map[string]operation
}

// handle registers a resource below the base.
func (s *server) handle(path string, operations map[string]operation) {
	s.mux.Handle(s.base+path, resource{s, operations})
}

func (s *server) register() {
	s.registerRoot()
	s.registerRouters()
	s.registerRoutes()
	s.registerBridges()
	s.registerPorts()
	s.registerChains()
	s.registerRules()
	s.registerHosts()
	s.registerBindings()
	s.registerTunnelZones()
	s.registerTunnelZoneHosts()
	s.registerUnserved()
}

func (res resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	op, offered := res.operations[method]
	if !offered {
		w.Header().Set("Allow", res.allow())
		res.writeError(w, r, wire.Error{Message: "Method Not Allowed", Code: http.StatusMethodNotAllowed})
		return
	}
	media, status := op.negotiate(r)
	if status != http.StatusOK {
		res.writeError(w, r, wire.Error{Message: wire.Text(http.StatusText(status)), Code: status})
		return
	}
	c := &call{Request: r, uris: wire.NewURIs(origin(r) + res.base)}
	if op.takes != nil {
		body, err := readBody(w, r)
		if err != nil {
			res.fail(w, r, err)
			return
		}
		c.body = body
	}
	a, err := op.do(c)
	if err != nil {
		res.fail(w, r, err)
		return
	}
	if method != http.MethodGet {
		res.log.DebugContext(r.Context(), "written", "method", method, "path", r.URL.Path, "location", a.location)
	}
	res.send(w, r, media, a)
}

func (res resource) allow() string {
	methods := []string{http.MethodOptions}
	for m := range res.operations {
		methods = append(methods, m)
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

// send writes an answer. A POST is answered with the object only when asked.
func (res resource) send(w http.ResponseWriter, r *http.Request, media string, a answer) {
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
	if a.status == http.StatusCreated && a.body != nil {
		if !wantsBody(r) {
			a.body = nil
		} else {
			w.Header().Set("Preference-Applied", "return=representation")
		}
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	res.write(w, r, a.status, media, a.body)
}

// negotiate checks the headers and picks the media type of the answer. What a
// POST answers with is optional, so its Accept header is not checked.
func (op operation) negotiate(r *http.Request) (media string, status int) {
	if op.takes != nil && !taken(r.Header, op.takes, op.manual) {
		if op.manual {
			return "", http.StatusUnsupportedMediaType
		}
		return "", http.StatusNotAcceptable
	}
	if op.gives == nil {
		return "", http.StatusOK
	}
	media = accepted(r.Header, op.gives, op.manual)
	switch {
	case media != "":
		return media, http.StatusOK
	case op.takes != nil:
		return op.gives[0], http.StatusOK
	}
	return "", http.StatusNotAcceptable
}

// origin is the scheme and authority that the client used.
func origin(r *http.Request) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	if r.Host != "" {
		return scheme + r.Host
	}
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(fmt.Stringer); ok {
		return scheme + a.String()
	}
	return scheme + "localhost"
}

// pathID reads an ID from the path. What is no UUID names nothing: 404.
func pathID[T ~string](c *call, wildcard, kind string) (T, error) {
	text := c.PathValue(wildcard)
	id, err := sdn.ParseID[T](text)
	if err != nil {
		return "", missing(kind, text)
	}
	return id, nil
}

// missing is MidoNet's wording for an object that is not there.
func missing(kind, id string) error {
	const most = 64
	if len(id) > most {
		id = id[:most] + "..."
	}
	return wire.Refuse(sdn.ErrNotFound, fmt.Sprintf("There is no %s with ID %s.", kind, id))
}
