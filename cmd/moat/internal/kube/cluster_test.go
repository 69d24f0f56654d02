package kube

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/moatnet/moat/cmd/internal/kubetest"
	"github.com/moatnet/moat/cmd/moat/internal/wishes"
)

// faults are what an API server in trouble does.
var faults = map[string]func(http.ResponseWriter, *http.Request) bool{
	"500": func(w http.ResponseWriter, _ *http.Request) bool {
		kubetest.Fail(w, 500, metav1.StatusReasonInternalError, "etcd is down")
		return true
	},
	"429": func(w http.ResponseWriter, _ *http.Request) bool {
		kubetest.Fail(w, 429, metav1.StatusReasonTooManyRequests, "slow down")
		return true
	},
	"no JSON": func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte("<html>")); return true },
	"hangs":   func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true },
	"drops":   func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
	"401": func(w http.ResponseWriter, _ *http.Request) bool {
		kubetest.Fail(w, 401, metav1.StatusReasonUnauthorized, "who is it")
		return true
	},
	"403": func(w http.ResponseWriter, _ *http.Request) bool {
		kubetest.Fail(w, 403, metav1.StatusReasonForbidden, "not you")
		return true
	},
	"404 of all": func(w http.ResponseWriter, _ *http.Request) bool {
		kubetest.Fail(w, 404, metav1.StatusReasonNotFound, "not there")
		return true
	},
	"410 of all": func(w http.ResponseWriter, _ *http.Request) bool {
		kubetest.Fail(w, 410, metav1.StatusReasonExpired, "too old")
		return true
	},
	"503 without a body": func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true },
}

// TestTroubleIsSaidAndNeverAnswered has nothing but errors for pods that are not
// known, and the known one all the same.
func TestTroubleIsSaidAndNeverAnswered(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := name == "401" || name == "403" || name == "404 of all"
			l := newLab(t, func(o *Options) {
				if o.Patience = 300 * time.Millisecond; answers { // in its own time
					o.Patience = soon
				}
			})
			l.PutPod("node1", web("1"))
			l.seen(t, "1")
			l.Break(fault)
			for _, uid := range []string{"2", ""} {
				_, err := l.Pod(t.Context(), "red", "web", uid)
				switch name {
				case "401", "403":
					require.ErrorIs(t, err, ErrRefused)
				case "404 of all":
					require.ErrorIs(t, err, ErrGone)
				default:
					require.ErrorIs(t, err, ErrUnavailable)
				}
				require.ErrorContains(t, err, "pod red/web: ")
			}
			p, err := l.Pod(t.Context(), "red", "web", "1")
			require.NoError(t, err, "the picture has it")
			require.Equal(t, "10.0.0.1", p.Annotations["moat.dev/ip"])
		})
	}
}

func TestServerThatWasNeverThere(t *testing.T) {
	api := kubetest.New()
	l := startLab(t, api, func(o *Options) { o.Patience, o.Access.Server = 2*time.Second, "http://127.0.0.1:1" })
	_, err := l.Pod(t.Context(), "red", "web", "1")
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, "connection refused", "the cause is more than that time is over")
	_, err = l.Pod(t.Context(), "red", "", "1")
	require.Error(t, err)
}

func TestDeadlineOfTheCallHolds(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Patience = time.Minute })
	l.Break(faults["hangs"])
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := l.Pod(ctx, "red", "web", "1")
	require.ErrorIs(t, err, ErrUnavailable)
	require.Less(t, time.Since(begin), 30*time.Second)
}

func TestPodOfThePictureCostsNoQuestion(t *testing.T) {
	l := newLab(t)
	controller := true
	pod := web("1")
	pod.GenerateName, pod.Labels = "web-", map[string]string{"app": "web"}
	pod.OwnerReferences = []metav1.OwnerReference{{Kind: "Node", Name: "other"}, {Kind: "ReplicaSet", Name: "web-5d", Controller: &controller}}
	l.PutPod("node1", pod)
	l.seen(t, "1")
	p, err := l.Pod(t.Context(), "red", "web", "1")
	require.NoError(t, err)
	require.Equal(t, wishes.Pod{Namespace: "red", Name: "web", UID: "1", GenerateName: "web-", Node: "node1",
		Labels: pod.Labels, Annotations: pod.Annotations, Defaults: map[string]string{"moat.dev/sticky": "true"},
		Owner: wishes.Owner{Kind: "ReplicaSet", Name: "web-5d"}}, p)
	require.Zero(t, l.gets())
}

func TestAnotherPodOfTheNameIsNotThePod(t *testing.T) {
	l := newLab(t)
	l.PutPod("node1", web("1"))
	l.seen(t, "1")
	_, err := l.Pod(t.Context(), "red", "web", "2")
	require.ErrorIs(t, err, ErrGone)
	require.ErrorContains(t, err, "UID 2")
	l.Freeze(true)
	l.DeletePod("red", "web")
	l.PutPod("node1", web("2"))
	p, err := l.Pod(t.Context(), "red", "web", "2")
	require.NoError(t, err, "the picture has the old one, the API server the new one")
	require.Equal(t, "10.0.0.2", p.Annotations["moat.dev/ip"])
	p, err = l.Pod(t.Context(), "red", "web", "")
	require.NoError(t, err)
	require.Equal(t, "2", p.UID, "the picture may have an old one, so it is not believed")
	l.DeletePod("red", "web")
	_, err = l.Pod(t.Context(), "red", "web", "3")
	require.ErrorIs(t, err, ErrGone)
}

func TestRuntimeIsFasterThanTheWatch(t *testing.T) {
	l := newLab(t, patient)
	l.Freeze(true)
	l.PutPod("node1", web("1"))
	got := make(chan error, 1)
	go func() { _, err := l.Pod(context.Background(), "red", "web", "1"); got <- err }()
	l.Freeze(false)
	require.NoError(t, <-got)
	require.Zero(t, l.gets(), "the watch brought it")
}

func TestWatchIsTooSlow(t *testing.T) {
	l := newLab(t)
	l.Freeze(true)
	l.PutPod("node1", web("1"))
	p, err := l.Pod(t.Context(), "red", "web", "1")
	require.NoError(t, err)
	require.Equal(t, "10.0.0.1", p.Annotations["moat.dev/ip"])
	require.Equal(t, 1, l.gets())
}

func TestWatchIsFasterThanTheQuestion(t *testing.T) {
	l := newLab(t)
	asked := make(chan struct{}, 100)
	l.Freeze(true)
	l.Break(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("watch") == "" {
			asked <- struct{}{}
			<-r.Context().Done()
			return true
		}
		return false
	})
	got := make(chan error, 1)
	go func() { _, err := l.Pod(context.Background(), "red", "web", "1"); got <- err }()
	<-asked
	l.PutPod("node1", web("1"))
	l.Freeze(false)
	require.NoError(t, <-got)
}

func TestNamespaceThatTheWatchHasNotBrought(t *testing.T) {
	l := newLab(t)
	l.PutPod("node1", web("1"))
	l.seen(t, "1")
	l.Freeze(true)
	l.PutNamespace(metav1.ObjectMeta{Name: "blue", Annotations: map[string]string{"moat.dev/dns": "{}"}})
	pod := web("9")
	pod.Namespace = "blue"
	l.PutPod("node1", pod)
	p, err := l.Pod(t.Context(), "blue", "web", "9")
	require.NoError(t, err)
	require.Equal(t, "{}", p.Defaults["moat.dev/dns"])
	pod.Namespace = "none"
	l.PutPod("node1", pod)
	_, err = l.Pod(t.Context(), "none", "web", "9")
	require.ErrorContains(t, err, "namespace none: ")
}

func TestStaticPodIsKnownByItsMirror(t *testing.T) {
	l := newLab(t)
	pod := web("7")
	pod.Annotations[mirrorOf] = "0123456789abcdef"
	l.PutPod("node1", pod)
	p, err := l.Pod(t.Context(), "red", "web", "0123456789abcdef")
	require.NoError(t, err)
	require.Equal(t, "7", p.UID)
}

func TestPodsOfOtherNodesAreNotKept(t *testing.T) {
	l := newLab(t)
	l.PutPod("node2", web("1"))
	pod := web("2")
	pod.Name = "other"
	l.PutPod("node1", pod)
	require.Eventually(t, func() bool { return l.pictured("red", "other", "2") != nil }, soon, time.Millisecond)
	require.Len(t, l.pods.GetStore().List(), 1)
}

// TestPictureComesBack has it follow again after each kind of interruption.
func TestPictureComesBack(t *testing.T) {
	interruptions := map[string]func(*lab){
		"watches dropped": func(l *lab) { l.Drop() },
		"410 Gone":        func(l *lab) { l.Freeze(true); l.PutPod("node2", web("8")); l.Forget(); l.Drop(); l.Freeze(false) },
	}
	for name, fault := range faults {
		interruptions[name] = func(l *lab) { l.Break(fault); _, _ = l.Pod(context.Background(), "red", "web", "0"); l.Break(nil) }
	}
	for name, interrupt := range interruptions {
		for _, old := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				api := kubetest.New()
				api.NoStreamedLists = old
				l := startLab(t, api, func(o *Options) { o.Patience = 100 * time.Millisecond })
				l.PutPod("node1", web("1"))
				l.seen(t, "1")
				interrupt(l)
				l.DeletePod("red", "web")
				l.PutPod("node1", web("2"))
				l.seen(t, "2")
			})
		}
	}
}

func TestTroubleIsLoggedOnceForEach(t *testing.T) {
	var log strings.Builder
	pods := &trouble{of: "pods", log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 2 {
		pods.hear(t.Context(), nil, io.EOF)
		pods.hear(t.Context(), nil, kind(errors.New("refused")))
	}
	for range 2 {
		pods.over()
	}
	require.Equal(t, 1, strings.Count(log.String(), "cannot be followed; it is tried again\" what=pods"))
	require.Equal(t, 1, strings.Count(log.String(), "followed again\" what=pods"))
}

// TestBookmarkSavesAList has versions pass that the watch is not about, and be
// forgotten: the next watch goes on from the bookmark.
func TestBookmarkSavesAList(t *testing.T) {
	api := kubetest.New()
	api.NoStreamedLists = true
	l := startLab(t, api)
	l.PutPod("node1", web("1"))
	l.seen(t, "1")
	l.PutPod("node2", web("8"))
	require.Eventually(t, func() bool { return l.pods.LastSyncResourceVersion() == "2" }, soon, time.Millisecond, "that of the second pod")
	lists := func() int { return count(l.Calls(), "list /api/v1/pods") }
	listed, watched := lists(), count(l.Calls(), "watch /api/v1/pods")
	l.Forget()
	l.Drop()
	pod := web("2")
	pod.Name = "other"
	l.PutPod("node1", pod)
	require.Eventually(t, func() bool { return l.pictured("red", "other", "2") != nil }, soon, time.Millisecond)
	require.Greater(t, count(l.Calls(), "watch /api/v1/pods"), watched)
	require.Equal(t, listed, lists())
}

func count(calls []string, of string) (n int) {
	for _, c := range calls {
		if c == of {
			n++
		}
	}
	return n
}

// What the sweep believes must not be of a time before the API server went away.
func TestNodePodsAreAskedNow(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Patience = time.Second })
	l.PutPod("node1", metav1.ObjectMeta{Namespace: "red", Name: "web", UID: "u1"})
	l.PutPod("node1", metav1.ObjectMeta{Namespace: "red", Name: "static", UID: "u2", Annotations: map[string]string{mirrorOf: "file"}})
	l.PutPod("node1", metav1.ObjectMeta{Namespace: "red", Name: "ends", UID: "u3", DeletionTimestamp: &metav1.Time{Time: time.Now()}})
	l.PutPod("node2", metav1.ObjectMeta{Namespace: "red", Name: "away", UID: "u4"})
	pods, err := l.NodePods(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]bool{"u1": true, "u2": true, "file": true}, pods)
	for name, fault := range faults {
		l.Break(fault)
		_, err := l.NodePods(t.Context())
		require.Error(t, err, name)
	}
}
