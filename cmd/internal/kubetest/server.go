package kubetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Server is an http.Handler. Its zero fields are those of a healthy server.
type Server struct {
	// Token is what callers must send; "": none.
	Token string
	// NoStreamedLists refuses lists by watch, as servers before 1.32 do.
	NoStreamedLists bool

	mu      sync.Mutex
	changed chan struct{} // closed at the next change of anything below
	objects map[string]object
	log     []event
	version int  // of the last change
	floor   int  // events up to it are forgotten
	frozen  bool // watches are sent nothing
	epoch   int  // of the watches that go on; older ones end
	fault   func(http.ResponseWriter, *http.Request) bool
	calls   []string
}

// object is a pod or a namespace; node is where a pod runs.
type object struct {
	resource string
	node     string
	metav1.PartialObjectMetadata
}

type event struct {
	kind    string // ADDED, MODIFIED, DELETED
	version int
	object
}

// New makes a server without objects.
func New() *Server {
	return &Server{changed: make(chan struct{}), objects: map[string]object{}}
}

// PutPod makes or changes a pod of a node.
func (s *Server) PutPod(node string, m metav1.ObjectMeta) { s.put("pods", node, m) }

// PutNamespace makes or changes a namespace.
func (s *Server) PutNamespace(m metav1.ObjectMeta) { s.put("namespaces", "", m) }

// DeletePod removes a pod.
func (s *Server) DeletePod(namespace, name string) {
	s.change(func() {
		key := "pods/" + namespace + "/" + name
		if o, ok := s.objects[key]; ok {
			delete(s.objects, key)
			s.record("DELETED", o)
		}
	})
}

func (s *Server) put(resource, node string, m metav1.ObjectMeta) {
	s.change(func() {
		key := resource + "/" + m.Namespace + "/" + m.Name
		kind := "MODIFIED"
		if _, ok := s.objects[key]; !ok {
			kind = "ADDED"
		}
		o := object{resource: resource, node: node, PartialObjectMetadata: metav1.PartialObjectMetadata{
			TypeMeta: metav1.TypeMeta{Kind: "PartialObjectMetadata", APIVersion: "meta.k8s.io/v1"}, ObjectMeta: m}}
		s.objects[key] = s.record(kind, o)
	})
}

// record notes a change as the next version; s is locked.
func (s *Server) record(kind string, o object) object {
	s.version++
	o.ResourceVersion = strconv.Itoa(s.version)
	s.log = append(s.log, event{kind, s.version, o})
	return o
}

func (s *Server) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Freeze holds back what watches would be sent, until it is called with false.
func (s *Server) Freeze(on bool) { s.change(func() { s.frozen = on }) }

// Forget makes all versions but the present one too old to watch from (410).
func (s *Server) Forget() { s.change(func() { s.log, s.floor = nil, s.version }) }

// Drop ends all watches in the middle.
func (s *Server) Drop() { s.change(func() { s.epoch++ }) }

// Break has f see each request first; true: it answered. nil ends that.
func (s *Server) Break(f func(http.ResponseWriter, *http.Request) bool) {
	s.change(func() { s.fault = f; s.epoch++ })
}

// Calls lists the requests so far: method, path, and "watch" or "list".
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v1/"), "/")
	watching := r.URL.Query().Get("watch") != ""
	s.note(r, watching)
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	switch {
	case fault != nil && fault(w, r):
	case s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token:
		Fail(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")
	case r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "application/json;as=PartialObjectMetadata"):
		Fail(w, http.StatusNotAcceptable, metav1.StatusReasonNotAcceptable, "only metadata, only by GET")
	case len(path) == 1 && watching:
		s.watch(w, r, path[0])
	case len(path) == 1:
		s.list(w, r, path[0])
	case len(path) == 2 && path[0] == "namespaces":
		s.get(w, "namespaces", "", path[1])
	case len(path) == 4 && path[0] == "namespaces" && path[2] == "pods":
		s.get(w, "pods", path[1], path[3])
	default:
		Fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "no such path")
	}
}

func (s *Server) note(r *http.Request, watching bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what := "get"
	switch {
	case watching:
		what = "watch"
	case strings.Count(r.URL.Path, "/") == 3:
		what = "list"
	}
	s.calls = append(s.calls, what+" "+r.URL.Path)
}

func (s *Server) get(w http.ResponseWriter, resource, namespace, name string) {
	s.mu.Lock()
	o, ok := s.objects[resource+"/"+namespace+"/"+name]
	s.mu.Unlock()
	if !ok {
		Fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("%s %q not found", resource, name))
		return
	}
	answer(w, http.StatusOK, o.PartialObjectMetadata)
}

// list answers with all that the selector has.
func (s *Server) list(w http.ResponseWriter, r *http.Request, resource string) {
	s.mu.Lock()
	all := metav1.PartialObjectMetadataList{
		TypeMeta: metav1.TypeMeta{Kind: "PartialObjectMetadataList", APIVersion: "meta.k8s.io/v1"},
		ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(s.version)},
	}
	for _, o := range s.selected(r, resource) {
		all.Items = append(all.Items, o.PartialObjectMetadata)
	}
	s.mu.Unlock()
	answer(w, http.StatusOK, all)
}

// selected are the objects that a request is about; s is locked.
func (s *Server) selected(r *http.Request, resource string) (all []object) {
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if o := s.objects[key]; concerns(r, resource, o) {
			all = append(all, o)
		}
	}
	return all
}

// concerns knows one selector: pods of a node.
func concerns(r *http.Request, resource string, o object) bool {
	node, is := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "spec.nodeName=")
	return o.resource == resource && (!is || o.node == node)
}

// Fail answers with an error in Kubernetes' form.
func Fail(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	answer(w, code, status(code, reason, message))
}

func status(code int, reason metav1.StatusReason, message string) metav1.Status {
	return metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Code: int32(code), Reason: reason, Message: message}
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // a caller that went away is its own affair
}
