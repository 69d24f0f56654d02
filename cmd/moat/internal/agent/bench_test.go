package agent_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkPluginCall is the price of the plugin itself: start of the program,
// its call over the socket, checks and result, with a service that does nothing.
func BenchmarkPluginCall(b *testing.B) {
	n := newNode(b)
	env, conf := n.env(nil), n.conf(nil)
	var times []time.Duration
	for b.Loop() {
		start := time.Now()
		a := plugin(b, "moat-cni", env, conf)
		times = append(times, time.Since(start))
		require.Zero(b, a.status)
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
}
