package kubetest

import (
	"encoding/json"
	"net/http"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// initialEnd is the annotation of the bookmark that ends a list by watch.
const initialEnd = "k8s.io/initial-events-end"

// frame is one event of a watch.
type frame struct {
	Type   string `json:"type"`
	Object any    `json:"object"`
}

// watch streams what changes from a version on, first what there is if the
// caller wants its list so.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, resource string) {
	q := r.URL.Query()
	from, _ := strconv.Atoi(q.Get("resourceVersion"))
	streamed := q.Get("sendInitialEvents") == "true"
	if streamed && s.NoStreamedLists {
		Fail(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flush := w.(http.Flusher).Flush
	flush()
	out := json.NewEncoder(w)
	s.mu.Lock()
	epoch := s.epoch
	s.mu.Unlock()
	if streamed {
		var frames []frame
		frames, from = s.initial(r, resource)
		if !send(out, flush, frames) {
			return
		}
	}
	for {
		frames, at, over, changed := s.since(r, resource, from, epoch)
		if !send(out, flush, frames) || over {
			return
		}
		from = at
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// initial is a list as events, with the bookmark that ends it.
func (s *Server) initial(r *http.Request, resource string) (frames []frame, version int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.selected(r, resource) {
		frames = append(frames, frame{"ADDED", o.PartialObjectMetadata})
	}
	return append(frames, bookmark(s.version, map[string]string{initialEnd: "true"})), s.version
}

func bookmark(version int, annotations map[string]string) frame {
	return frame{"BOOKMARK", metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{Kind: "PartialObjectMetadata", APIVersion: "meta.k8s.io/v1"},
		ObjectMeta: metav1.ObjectMeta{ResourceVersion: strconv.Itoa(version), Annotations: annotations},
	}}
}

// since is what a watch is to be sent: events, and a bookmark when there was
// something that does not concern it.
func (s *Server) since(r *http.Request, resource string, from, epoch int) (frames []frame, at int, over bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case epoch != s.epoch:
		return nil, from, true, nil
	case s.frozen:
		return nil, from, false, s.changed
	case from < s.floor:
		gone := status(http.StatusGone, metav1.StatusReasonExpired, "too old resource version")
		return []frame{{"ERROR", gone}}, from, true, nil
	}
	for _, e := range s.log {
		if e.version > from && concerns(r, resource, e.object) {
			frames = append(frames, frame{e.kind, e.PartialObjectMetadata})
		}
	}
	if s.version > from && len(frames) == 0 {
		frames = append(frames, bookmark(s.version, nil))
	}
	return frames, s.version, false, s.changed
}

func send(out *json.Encoder, flush func(), frames []frame) bool {
	for _, f := range frames {
		if err := out.Encode(f); err != nil {
			return false
		}
	}
	flush()
	return true
}
