package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/embedetcd/etcdproxy"
)

// etcd stops to answer while pods come and go. Each call is told so after what one
// call waits for a store, three seconds and a half: also calls for one container,
// and the first pods of a tenant, which wait for each other.
func TestCallsOverASilentEtcdDoNotWaitOneAfterTheOther(t *testing.T) {
	n, etcd := newHostBehindProxy(t)
	n.start("--etcd-endpoints", etcd.Endpoint())
	there := n.pod("red", "there")
	var late []*lab.Pod
	for i := range 3 {
		p, err := n.lab.NewPod("blue", fmt.Sprintf("first-%d", i))
		require.NoError(t, err)
		late = append(late, p)
	}
	p, err := n.lab.NewPod("red", "late")
	require.NoError(t, err)
	conf := n.entry("1.1.0", nil)

	etcd.Freeze()
	t.Cleanup(etcd.Thaw)
	var all sync.WaitGroup
	call := func(command string, p *lab.Pod) {
		all.Go(func() {
			begun := time.Now()
			out, err := n.plugin(conf, callEnv(command, p))
			took := time.Since(begun)
			assert.Error(t, err)
			var e cniError
			if assert.NoError(t, json.Unmarshal([]byte(out), &e), out) {
				assert.EqualValues(t, 11, e.Code, "%s of %s: %s", command, p.Name, out)
			}
			t.Logf("%s of %s after %s: %s", command, p.Name, took, e.Msg)
			assert.Less(t, took, 15*time.Second, "%s of %s", command, p.Name)
		})
	}
	for range 3 {
		call("ADD", p)
		call("DEL", there)
	}
	for _, p := range late {
		call("ADD", p)
	}
	all.Wait()
	etcd.Thaw()

	for _, p := range append(late, p) {
		require.Eventually(t, func() bool { return n.rt.Add(t.Context(), p) == nil }, time.Minute, 100*time.Millisecond)
		require.NoError(t, n.rt.Del(t.Context(), p))
	}
	require.NoError(t, n.rt.Del(t.Context(), there))
	require.Equal(t, "[]\n", n.cli("ip", "list", "-o", "json"))
}

// newHostBehindProxy is a host whose etcd can be made to answer nothing: the proxy
// listens on the host's loopback.
func newHostBehindProxy(t *testing.T) (*node, *etcdproxy.Proxy) {
	dir, err := os.MkdirTemp("", "etcd")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	etcd, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(etcd.Close)
	n := newHost(t)
	var proxy *etcdproxy.Proxy
	require.NoError(t, n.host.Do(func() (err error) {
		proxy, err = etcdproxy.Start(etcd.Endpoint())
		return err
	}))
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	return n, proxy
}
