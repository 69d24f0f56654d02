package client_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/client"
	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/server"
)

// BenchmarkCreateAndDeletePort measures one POST and one DELETE of a bridge
// port over the loopback, with the topology in memory.
func BenchmarkCreateAndDeletePort(b *testing.B) {
	s := httptest.NewServer(server.New(server.Options{API: sdntest.NewMemory(b), Auth: auth.NewPasswordAuth("u", "p", time.Hour)}))
	b.Cleanup(s.Close)
	c, err := client.New(client.Options{Endpoints: []string{s.URL + server.DefaultBase}, User: "u", Password: "p"})
	require.NoError(b, err)
	b.Cleanup(c.Close)
	br, err := c.CreateBridge(b.Context(), sdn.Bridge{})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		p, err := c.CreatePort(b.Context(), sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br.ID), AdminStateUp: true})
		require.NoError(b, err)
		require.NoError(b, c.DeletePort(b.Context(), p.ID))
	}
}
