package dataplane_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

func TestTheKernelReadBackPrintsAsThePlan(t *testing.T) {
	l := newLab(t)
	provider, up := l.provider()
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	l.join(provider, red, "100.64.1.0/31", "100.64.1.1/31")
	blue := l.tenant("blue", "10.2.0.1/24")
	l.join(provider, blue, "100.64.1.2/31", "100.64.1.3/31")
	l.pod(e, red, "10.1.0.2/24")
	require.NoError(t, e.WaitActive(l.soon(), up))
	l.settled(e)

	seen, err := e.Observe(t.Context())
	require.NoError(t, err)
	got := make(map[string]string)
	for _, n := range seen {
		got[n.Name] = n.String()
	}
	require.Len(t, got, 4)
	l.topo.View(func(v sdn.View) {
		host, err := plan.Host(v, l.config.Plan)
		require.NoError(t, err)
		require.Equal(t, host.String(), got[""])
		for _, d := range plan.Homes(v) {
			want, err := plan.Home(v, l.config.Plan, d)
			require.NoError(t, err)
			require.Equal(t, want.String(), got[want.Name])
		}
	})
}
