package node

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/embedetcd"
)

func TestWarningsBeforeEtcdIsFull(t *testing.T) {
	dir, err := os.MkdirTemp("", "w")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	etcd, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir, QuotaBytes: 16 << 20})
	require.NoError(t, err)
	closed := false
	stop := func() {
		if !closed {
			etcd.Close()
			closed = true
		}
	}
	t.Cleanup(stop)
	client, err := etcd.NewClient()
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	s := &store{client: client}
	said := func() string { return strings.Join(s.warnings(t.Context()), "\n") }
	require.Empty(t, s.warnings(t.Context()))

	var written error
	nearly := false
	for i := int64(1); written == nil && i < 100; i++ {
		_, written = client.Put(t.Context(), fmt.Sprint("k", i), strings.Repeat("x", 256<<10))
		require.Eventually(t, func() bool { // etcd commits to its database some time after it has answered
			st, err := client.Status(t.Context(), client.Endpoints()[0])
			return err == nil && (written != nil || st.DbSize > i*256<<10)
		}, time.Minute, time.Millisecond)
		nearly = nearly || written == nil && strings.Contains(said(), "of a quota of 16 MiB")
	}
	require.Error(t, written, "etcd is full")
	require.True(t, nearly, "warned while etcd took writes")
	require.Contains(t, said(), "NOSPACE")

	stop()
	require.Contains(t, said(), "does not say how it is")
}
