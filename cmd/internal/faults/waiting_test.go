package faults

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/moatnet/moat/cmd/internal/kubetest"
	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// othersGoOn begins an ADD that waits for a remote party which says nothing, and
// requires that calls for other pods end before it: no lock is held meanwhile.
func (s *site) othersGoOn(slow *lab.Pod, waits func() bool, speak func()) {
	s.t.Helper()
	doomed := s.living()
	ended := make(chan answer, 1)
	go func() { ended <- s.call("ADD", slow, undisturbed, form{}) }()
	require.Eventually(s.t, waits, sweep, 10*time.Millisecond, "the ADD does not come to the remote party")

	more := s.living()
	require.Nil(s.t, s.call("DEL", doomed, undisturbed, form{prev: true}).err)
	require.Nil(s.t, s.call("CHECK", more, undisturbed, form{prev: true}).err)
	require.Nil(s.t, s.call("STATUS", nil, undisturbed, form{}).err)
	require.Nil(s.t, s.call("DEL", s.pod(slow.Tenant), undisturbed, form{}).err, "of the same tenant, too")
	require.Empty(s.t, ended, "the ADD that waits has not ended before the others")

	speak()
	a := <-ended
	require.Nil(s.t, a.err)
	s.adopt(slow, a)
	s.reaches(slow)
	s.deleted(slow, form{prev: true})
	s.deleted(more, form{prev: true})
}

// A tenant that is built over a REST API which says nothing.
func TestNobodyWaitsForAHangingAPI(t *testing.T) {
	g := newGate(t)
	g.open() // for the provider and the first tenant
	s, _, _ := newRESTSite(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/routers") {
				g.wait(r)
			}
			next.ServeHTTP(w, r)
		})
	})
	s.add(s.pod("red"))
	g.close()
	t.Cleanup(g.open) // before the endpoint ends, which waits for its requests
	s.othersGoOn(s.pod("slow"), g.waits, g.open)
}

// A network source that says nothing.
func TestNobodyWaitsForAHangingNetworkSource(t *testing.T) {
	s, begin := newConfigured(t, fmt.Sprintf("networkSource: {url: http://%s/pods, timeout: 1m, namespaces: [slow], networksDir: %s}\n", remote, t.TempDir()))
	g := newGate(t)
	s.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.wait(r)
		fmt.Fprint(w, `{"code": 0, "reqId": "1", "message": "success", "data": [{"type": "moat", "master": true}]}`)
	}))
	begin()
	s.add(s.pod("red"))
	s.othersGoOn(s.pod("slow"), g.waits, g.open)
}

// An API server of Kubernetes that says nothing of a pod that its watch has not shown.
func TestNobodyWaitsForAHangingAPIServer(t *testing.T) {
	s, begin := newConfigured(t, fmt.Sprintf("node: node1\nkubernetes: {server: \"http://%s\"}\n", remote))
	g, k := newGate(t), kubetest.New()
	k.PutNamespace(metav1.ObjectMeta{Name: "red"})
	k.PutNamespace(metav1.ObjectMeta{Name: "slow"})
	k.Break(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/api/v1/namespaces/slow/pods/") {
			g.wait(r)
		}
		return false
	})
	s.serve(k)
	begin()
	s.announce = func(p *lab.Pod) {
		if p.Tenant == "slow" {
			k.PutPod("", metaOf(p)) // on no node yet, so that the watch does not show it
		} else {
			k.PutPod("node1", metaOf(p))
		}
	}
	s.add(s.pod("red"))
	s.othersGoOn(s.pod("slow"), g.waits, g.open)
}

func metaOf(p *lab.Pod) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: p.Tenant}
	for _, kv := range p.Args.Args {
		switch kv[0] {
		case "K8S_POD_NAME":
			m.Name = kv[1]
		case "K8S_POD_UID":
			m.UID = types.UID(kv[1])
		}
	}
	return m
}

// remote is where, on a host, a remote party listens.
const remote = "127.0.0.1:6443"

// newConfigured is a host whose daemon has a configuration and is started by begin.
func newConfigured(t *testing.T, conf string) (s *site, begin func()) {
	etcd := newEtcd(t, embedetcd.Config{})
	s = newSite(t, etcd.Endpoint())
	file := filepath.Join(s.lab.Dir, "moat.yaml")
	require.NoError(t, os.WriteFile(file, []byte(conf), 0o600))
	s.args = []string{"--config", file}
	return s, func() { s.up(etcd.Endpoint()) }
}

// serve has a remote party listen on the host until the test ends.
func (s *site) serve(h http.Handler) {
	s.t.Helper()
	var l net.Listener
	require.NoError(s.t, s.ns.Do(func() (err error) {
		l, err = net.Listen("tcp", remote)
		return err
	}))
	server := &http.Server{Handler: h}
	var task sync.WaitGroup
	task.Go(func() { _ = server.Serve(l) })
	s.t.Cleanup(func() {
		_ = server.Close()
		task.Wait()
	})
}

// gate holds requests while it is closed, as it is at first.
type gate struct {
	mu     sync.Mutex
	held   int
	opened chan struct{} // closed: it is open
}

func newGate(t *testing.T) *gate {
	g := &gate{opened: make(chan struct{})}
	t.Cleanup(g.open)
	return g
}

func (g *gate) wait(r *http.Request) {
	g.mu.Lock()
	opened := g.opened
	select {
	case <-opened:
	default:
		g.held++
	}
	g.mu.Unlock()
	select {
	case <-opened:
	case <-r.Context().Done():
	}
}

func (g *gate) waits() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held > 0
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
	default:
		close(g.opened)
	}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = make(chan struct{})
}
