package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// fillEtcd has somebody put keys into the daemon's own etcd until it refuses them
// for good, and returns what deletes them.
func (n *node) fillEtcd() (empty func()) {
	n.t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{"unix://" + filepath.Join(n.daemon.DataDir(), "etcd", "etcd.sock")},
		DialTimeout: 10 * time.Second, Logger: zap.NewNop()})
	require.NoError(n.t, err)
	n.t.Cleanup(func() { require.NoError(n.t, c.Close()) })
	value, i := strings.Repeat("x", 50<<10), 0
	put := func() bool {
		i++
		_, err := c.Put(n.t.Context(), fmt.Sprint("/foreign/", i), value)
		require.True(n.t, err == nil || errors.Is(err, rpctypes.ErrNoSpace), err)
		return err == nil
	}
	for refused := time.Now(); time.Since(refused) < 4*time.Second; {
		if put() {
			refused = time.Now()
		}
	}
	return func() {
		_, err := c.Delete(n.t.Context(), "/foreign/", clientv3.WithPrefix())
		require.NoError(n.t, err)
	}
}

// An embedded etcd that somebody has filled: no pod is added, pods are deleted,
// traffic goes on, the daemon can be started anew, and all is well by itself when
// there is room again.
func TestFullEtcdIsRecoveredFrom(t *testing.T) {
	n := newHost(t)
	file := filepath.Join(n.lab.Dir, "moat.yaml")
	require.NoError(t, os.WriteFile(file, []byte("embedded: {quotaBytes: 16777216}\n"), 0o600))
	n.start("--config", file)
	stays, goes := n.pod("red", "stays"), n.pod("red", "goes")
	empty := n.fillEtcd()

	refuses := func(name string) *lab.Pod {
		t.Helper()
		p, err := n.lab.NewPod("red", name)
		require.NoError(t, err)
		begun := time.Now()
		e := n.refused(n.entry("1.1.0", nil), callEnv("ADD", p))
		require.Equal(t, 11, e.Code, "%+v", e)
		require.Contains(t, e.Msg, "red/"+p.Name)
		require.Contains(t, e.Msg, "full")
		require.Contains(t, e.Details, "moat status")
		require.Less(t, time.Since(begun), 15*time.Second)
		return p
	}
	late := refuses("late")
	out, err := n.plugin(n.entry("1.1.0", nil), map[string]string{"CNI_COMMAND": "STATUS"})
	require.Error(t, err)
	require.Contains(t, out, `"code":50`)
	require.Contains(t, out, "embedded.quotaBytes")
	out, err = n.daemon.CLI(t.Context(), "status")
	require.Error(t, err)
	require.Contains(t, out, "embedded.quotaBytes")

	e := n.refused(n.entry("1.1.0", nil), callEnv("DEL", goes))
	require.Equal(t, 11, e.Code, "%+v", e)
	require.Contains(t, e.Msg, "space exceeded")
	require.Error(t, goes.Do(func() error { _, err := net1(goes); return err }), "the pod's interface is gone")
	n.reaches(stays.Namespace, outsideAddr.Addr())

	require.NoError(t, n.daemon.Stop())
	require.NoError(t, n.daemon.Launch())
	require.Eventually(t, func() bool {
		out, _ := n.daemon.CLI(t.Context(), "status")
		return strings.Contains(out, "embedded.quotaBytes")
	}, time.Minute, 100*time.Millisecond, "it starts although etcd is full")
	n.reaches(stays.Namespace, outsideAddr.Addr())
	require.NoError(t, n.rt.Check(t.Context(), stays))
	refuses("later")

	empty()
	require.Eventually(t, func() bool { return n.rt.Add(t.Context(), late) == nil }, 20*time.Second, 100*time.Millisecond)
	n.reaches(late.Namespace, stays.Address)
	require.Eventually(t, func() bool {
		return strings.Contains(n.cli("tenant", "show", "red", "-o", "json"), `"pods": 2`)
	}, time.Minute, 100*time.Millisecond, "the pod that was deleted meanwhile is given up")
	require.NotContains(t, n.cli("status"), "quota")
}
