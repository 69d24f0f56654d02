package kube

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/moatnet/moat/cmd/internal/kubetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const soon = 15 * time.Second

// lab is a stand-in and a cluster that follows it.
type lab struct {
	*kubetest.Server
	*Cluster
	http *httptest.Server
}

// newLab has the namespace "red" and waits until it is seen.
func newLab(t *testing.T, options ...func(*Options)) *lab {
	api := kubetest.New()
	api.PutNamespace(metav1.ObjectMeta{Name: "red", UID: "n1", Annotations: map[string]string{"moat.dev/sticky": "true"}})
	l := startLab(t, api, options...)
	require.Eventually(t, func() bool { return l.pods.HasSynced() && l.namespaces.HasSynced() }, soon, time.Millisecond)
	return l
}

func startLab(t *testing.T, api *kubetest.Server, options ...func(*Options)) *lab {
	l := &lab{Server: api, http: httptest.NewServer(api)}
	t.Cleanup(l.http.Close)
	o := Options{Access: Access{Server: l.http.URL}, Node: "node1", UserAgent: "moat/test",
		Logger: slog.New(slog.DiscardHandler), Grace: 50 * time.Millisecond, Patience: 3 * time.Second}
	for _, change := range options {
		change(&o)
	}
	var err error
	l.Cluster, err = New(o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
		l.http.CloseClientConnections()
	})
	return l
}

func patient(o *Options) { o.Grace = soon }

func web(uid string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "red", Name: "web", UID: types.UID(uid), Annotations: map[string]string{"moat.dev/ip": "10.0.0." + uid}}
}

// seen waits until the picture has a pod.
func (l *lab) seen(t *testing.T, uid string) {
	t.Helper()
	require.Eventually(t, func() bool { return l.pictured("red", "web", uid) != nil }, soon, time.Millisecond)
}

func (l *lab) gets() int {
	return len(slices.DeleteFunc(l.Calls(), func(c string) bool { return !strings.HasPrefix(c, "get ") }))
}
