package sdntest_test

import (
	"testing"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/wire"
)

func TestTopologyInMemory(t *testing.T) {
	sdntest.Conformance(t, func(t *testing.T) sdn.API { return sdntest.NewMemory(t) })
}

func TestClientAndServer(t *testing.T) {
	sdntest.Conformance(t, func(t *testing.T) sdn.API { return sdntest.Start(t).Client(t) })
}

func TestClientAndServerOfOnePointNine(t *testing.T) {
	sdntest.ConformanceIn(t, wire.V1, func(t *testing.T) sdn.API { return sdntest.Start(t, sdntest.WithRelease(wire.V1)).Client(t) })
}

// TestClientOnOneEndpoint holds the suite to its word that its parts can share
// an endpoint.
func TestClientOnOneEndpoint(t *testing.T) {
	c := sdntest.Start(t).Client(t)
	sdntest.Conformance(t, func(*testing.T) sdn.API { return c })
}
