package node

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/embedetcd"
)

func TestWarningsBeforeEtcdIsFull(t *testing.T) {
	dir, err := os.MkdirTemp("", "w")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	etcd, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir, QuotaBytes: 4 << 20})
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
	require.Empty(t, s.warnings(t.Context()))

	var written error
	nearly := false
	for i := 0; written == nil && i < 100; i++ {
		_, written = client.Put(t.Context(), fmt.Sprint("k", i), strings.Repeat("x", 256<<10))
		if text := strings.Join(s.warnings(t.Context()), "\n"); written == nil && strings.Contains(text, "of a quota of 4 MiB") {
			nearly = true
		}
	}
	require.Error(t, written, "etcd is full")
	require.True(t, nearly, "warned while etcd took writes")
	require.Contains(t, strings.Join(s.warnings(t.Context()), "\n"), "NOSPACE")

	stop()
	require.Contains(t, strings.Join(s.warnings(t.Context()), "\n"), "does not say how it is")
}
