package topology

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// BenchmarkRuleOfALongChain makes and deletes the first of a thousand rules,
// which gives all others another position.
func BenchmarkRuleOfALongChain(b *testing.B) {
	top := NewMemory(Options{Check: func(sdn.View, sdn.ChainID) error { return nil }})
	c, err := top.CreateChain(b.Context(), sdn.Chain{})
	require.NoError(b, err)
	for range 1000 {
		_, err := top.CreateRule(b.Context(), sdn.Rule{Chain: c.ID, Type: sdn.RuleDrop})
		require.NoError(b, err)
	}
	for b.Loop() {
		r, err := top.CreateRule(b.Context(), sdn.Rule{Chain: c.ID, Type: sdn.RuleDrop})
		require.NoError(b, err)
		require.NoError(b, top.DeleteRule(b.Context(), r.ID))
	}
}
