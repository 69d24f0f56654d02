package tenant

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Records and topology in a real etcd, pods that cost nothing: what the steps
// themselves cost.
func BenchmarkAttachAndDetachOfAWarmTenant(b *testing.B) {
	w, _ := newEtcdWorld(b)
	m := w.manager(b)
	_, err := m.EnsureTenant(b.Context(), "blue")
	require.NoError(b, err)
	r := request(b, "blue", "c")
	var attach time.Duration
	for i := 0; b.Loop(); i++ {
		r.Attachment.ContainerID = fmt.Sprint("c", i)
		start := time.Now()
		_, err := m.Attach(b.Context(), r)
		require.NoError(b, err)
		attach += time.Since(start)
		require.NoError(b, m.Detach(b.Context(), r.Attachment))
	}
	b.ReportMetric(float64(attach.Microseconds())/float64(b.N), "µs/attach")
}

func BenchmarkFirstAttachOfATenant(b *testing.B) {
	w, _ := newEtcdWorld(b)
	m := w.manager(b)
	_, err := m.EnsureProvider(b.Context())
	require.NoError(b, err)
	for i := 0; b.Loop(); i++ {
		_, err := m.Attach(b.Context(), request(b, fmt.Sprint("t", i), fmt.Sprint("c", i)))
		require.NoError(b, err)
	}
}
