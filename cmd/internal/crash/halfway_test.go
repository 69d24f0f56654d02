package crash

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Killed anywhere in building a tenant's network, nobody asks for it again: it is
// finished all the same, or there is none of it.
func TestKilledInTenantBuildThenNothing(t *testing.T) {
	h := newHost(t)
	before := h.look()
	h.pointsOf("tenant build, then nothing", 36, func(n int) string {
		return h.killedAt(n, func() error { return h.run("tenant", "create", fmt.Sprintf("b%d", n)) })
	})
	h.allReady()
	finished := h.look()
	for name := range h.tenants() {
		h.cli("tenant", "create", name) // compares every object, and makes what is missing
	}
	h.comesBackTo(finished, soon, "comparing what was finished")
	for name := range h.tenants() {
		h.cli("tenant", "delete", name)
	}
	h.comesBackTo(before, sweep, "tenant builds killed at every point, and nothing more")
}

// Killed anywhere in removing a tenant's network, nobody asks for that again: it is
// removed all the same, or is there as it was.
func TestKilledInTenantRemovalThenNothing(t *testing.T) {
	h := newHost(t)
	before := h.look()
	h.pointsOf("tenant removal, then nothing", 13, func(n int) string {
		name := fmt.Sprintf("b%d", n)
		h.cli("tenant", "create", name)
		return h.killedAt(n, func() error { return h.run("tenant", "delete", name) })
	})
	h.allReady()
	for name := range h.tenants() {
		h.cli("tenant", "delete", name)
	}
	h.comesBackTo(before, sweep, "tenant removals killed at every point, and nothing more")
}

// tenants are those with a record, and their states.
func (h *host) tenants() map[string]string {
	h.t.Helper()
	out, err := h.daemon.CLI(h.t.Context(), "tenant", "list", "-o", "json")
	require.NoError(h.t, err, out)
	var list []struct{ Name, State string }
	require.NoError(h.t, json.Unmarshal([]byte(out), &list), out)
	states := map[string]string{}
	for _, one := range list {
		states[one.Name] = one.State
	}
	return states
}

// allReady waits until no tenant is half made or half removed.
func (h *host) allReady() {
	h.t.Helper()
	require.Eventually(h.t, func() bool {
		for _, state := range h.tenants() {
			if state != "ready" {
				return false
			}
		}
		return true
	}, h.within(2*sweep), 100*time.Millisecond, "nothing is left half way")
}
