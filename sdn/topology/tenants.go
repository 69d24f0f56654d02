package topology

import (
	"context"

	"github.com/moatnet/moat/sdn"
)

// Tenants implements sdn.API.
func (t *Topology) Tenants(ctx context.Context) ([]sdn.TenantID, error) {
	return read(ctx, t, func(g *graph) ([]sdn.TenantID, error) { return g.tenants(), nil })
}
