package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// call is one request on its way through an operation.
type call struct {
	*http.Request
	api     sdn.API // as the caller may use it
	uris    wire.URIs
	query   url.Values
	release wire.Release
	takes   string // the media type of the body
	gives   string // that of the answer
	body    []byte // in the form of 5.x
}

// complete adds to the body of a PUT what its media type cannot say and the
// stored object has.
func (c *call) complete(stored any) (err error) {
	c.body, err = wire.Complete(c.takes, c.release, c.body, stored)
	return err
}

// operation is one method of one resource.
type operation struct {
	takes []string // 5.x media types of the body; nil: a body is ignored
	gives []string // 5.x media types of the answer; nil: it has no body
	// manual marks what MidoNet wrote without its generic handlers: a wrong
	// Content-Type is 415 there, not 406, and absent headers match anything.
	manual bool
	do     func(*call) (answer, error)

	// reads and writes are takes and gives in all forms that are offered.
	reads, writes []string
}

// resource is one path with its operations by method.
type resource struct {
	*server
	operations map[string]operation
}

// handle registers a resource below the base. A server of 5.x offers the media
// types of 1.9 as well; one of 1.9 offers those alone, as its clients pick the
// newest that they are offered.
func (s *server) handle(path string, operations map[string]operation) {
	offers := wire.Offers
	if s.release == wire.V1 {
		offers = s.release.Only
	}
	offered := make(map[string]operation, len(operations))
	for method, op := range operations {
		op.reads, op.writes = offers(op.takes...), offers(op.gives...)
		offered[method] = op
	}
	s.mux.Handle(s.base+path, resource{s, offered})
}

func (s *server) register() {
	s.registerRoot()
	s.registerTenants()
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
	s.registerPortGroups()
	s.registerPortGroupPorts()
	s.registerIPAddrGroups()
	s.registerMACTables()
	s.registerARPTables()
	s.registerDHCPSubnets()
	s.registerDHCPHosts()
	s.registerEmpty()
	s.registerUnserved()
	if s.release == wire.V1 {
		s.registerV1()
	}
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
	takes, gives, status := op.negotiate(r)
	if status != http.StatusOK {
		res.writeError(w, r, wire.Error{Message: wire.Text(http.StatusText(status)), Code: status})
		return
	}
	c := &call{
		Request: r, api: res.apiOf(identityOf(r.Context())), uris: wire.NewURIs(origin(r) + res.base),
		release: res.release, takes: res.release.Means(takes, op.takes), gives: res.release.Means(gives, op.gives),
	}
	a, err := res.run(w, c, op)
	if err != nil {
		res.fail(w, r, err)
		return
	}
	if method != http.MethodGet {
		res.changed(r, a.location)
	}
	res.send(w, r, gives, a)
}

// changed tells the log who changed what, for those who look for it afterwards.
func (s *server) changed(r *http.Request, location string) {
	who := identityOf(r.Context())
	said := []any{"user", who.User, "from", r.RemoteAddr, "method", r.Method, "path", r.URL.Path}
	if location != "" {
		said = append(said, "location", location)
	}
	s.log.InfoContext(r.Context(), "changed through the REST API", said...)
}

// run reads the query and the body, does the operation and puts the answer in the form that
// the client asked for.
func (res resource) run(w http.ResponseWriter, c *call, op operation) (answer, error) {
	var err error
	if c.query, err = readQuery(c.URL.RawQuery); err != nil {
		return answer{}, err
	}
	if len(op.takes) > 0 {
		body, err := readBody(w, c.Request)
		if err != nil {
			return answer{}, err
		}
		if c.body, err = wire.Upgrade(c.takes, c.release, body); err != nil {
			return answer{}, err
		}
	}
	a, err := op.do(c)
	if err != nil || a.body == nil {
		return a, err
	}
	a.body, err = wire.Downgrade(c.gives, c.release, a.body)
	return a, err
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

// negotiate checks the headers and picks the media types of the body and of the
// answer. What a POST answers with is optional, so its Accept header is not
// checked.
func (op operation) negotiate(r *http.Request) (takes, gives string, status int) {
	if len(op.reads) > 0 {
		takes = taken(r.Header, op.reads, op.manual)
		switch {
		case takes != "":
		case op.manual:
			return "", "", http.StatusUnsupportedMediaType
		default:
			return "", "", http.StatusNotAcceptable
		}
	}
	if len(op.writes) == 0 {
		return takes, "", http.StatusOK
	}
	gives = accepted(r.Header, op.writes, op.manual)
	switch {
	case gives != "":
		return takes, gives, http.StatusOK
	case takes != "":
		return takes, op.writes[0], http.StatusOK
	}
	return "", "", http.StatusNotAcceptable
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
