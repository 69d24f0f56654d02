package plan_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

func TestHostClosesItsOwnPortsToPodsAlone(t *testing.T) {
	topo, c, _ := defaultTenant(t)
	rules := func() (found []string) {
		topo.View(func(v sdn.View) {
			n, err := plan.Host(v, c)
			require.NoError(t, err)
			for line := range strings.Lines(n.String()) {
				if strings.Contains(line, "th dport") {
					found = append(found, line)
				}
			}
		})
		return found
	}
	require.Empty(t, rules())
	c.Uplink.Closed = []uint16{2379, 8181}
	closed := rules()
	require.Len(t, closed, 2)
	for i, port := range []string{"2379", "8181"} {
		require.Contains(t, closed[i], "iifname")
		require.Contains(t, closed[i], "ip protocol tcp th dport "+port)
		require.Contains(t, closed[i], "drop")
	}
}
