package dataplane_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPodsOfATenantReachEachOtherAndTheirGatewayAndNobodyElse(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red, blue := l.tenant("red", "10.1.0.1/24"), l.tenant("blue", "10.2.0.1/24")
	r1, r2, b1 := l.pod(e, red, "10.1.0.2/24"), l.pod(e, red, "10.1.0.3/24"), l.pod(e, blue, "10.2.0.2/24")

	reaches(t, r1.ns, r2.address.Addr())
	reaches(t, r1.ns, red.gateway.Addr())
	reaches(t, b1.ns, blue.gateway.Addr())
	unreached(t, r1.ns, b1.address.Addr())
	unreached(t, r1.ns, blue.gateway.Addr())
	unreached(t, l.host, r1.address.Addr())

	p, err := l.topo.Port(t.Context(), r1.port)
	require.NoError(t, err)
	require.True(t, p.Active)
}
