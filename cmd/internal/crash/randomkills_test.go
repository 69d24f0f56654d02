package crash

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// point draws where to kill: an ADD to a tenant that is there makes a dozen steps,
// a tenant's first one more than a hundred.
func (s *storm) point() int {
	if s.rnd.IntN(4) == 0 {
		return 1 + s.rnd.IntN(150)
	}
	return 1 + s.rnd.IntN(14)
}

func (s *storm) killedInAdd() {
	p, at := s.fresh(), s.point()
	s.note("kill in ADD", name(p))
	point := s.killedIn(place{n: at}, func() error { return s.runtime().Add(s.t.Context(), p) }, 0)
	s.last[len(s.last)-1] += " " + point
	s.afterwards(p)
}

func (s *storm) killedInDel() {
	p, at := s.one(), s.point()
	if p == nil {
		return
	}
	s.note("kill in DEL", name(p))
	point := s.killedIn(place{n: at}, func() error { return s.runtime().Del(s.t.Context(), p) }, 0)
	s.last[len(s.last)-1] += " " + point
	s.forget(p)
	s.afterwards(p)
}

// killedInSeveral kills while pods come, to one and the same new or old tenants.
func (s *storm) killedInSeveral() {
	pods, at := s.crowd(), s.point()
	s.note("kill in ADDs at once", names(pods))
	point := s.killedIn(place{n: at}, func() error { return s.addAll(pods, once) }, 0)
	s.last[len(s.last)-1] += " " + point
	for _, p := range pods {
		s.afterwards(p)
	}
}

func (s *storm) killedAtRest() {
	s.note("kill -9", "")
	require.NoError(s.t, s.daemon.Kill())
	require.NoError(s.t, s.daemon.Start(s.t.Context()))
}

func (s *storm) stopped() {
	s.note("SIGTERM", "")
	require.NoError(s.t, s.daemon.Stop())
	require.NoError(s.t, s.daemon.Start(s.t.Context()))
}

// tenantEnds removes a tenant that has no pods; one that has some is kept.
func (s *storm) tenantEnds() {
	tenant := s.tenant()
	s.note("tenant delete", tenant)
	out, err := s.daemon.CLI(s.t.Context(), "tenant", "delete", tenant)
	switch {
	case s.hasPods(tenant):
		require.Error(s.t, err, "tenant %s has pods", tenant)
	case err != nil && !strings.Contains(out, "there is none"):
		require.True(s.t, s.ghosts[tenant], "%s is refused to go: %s", tenant, out)
	}
}

func (s *storm) hasPods(tenant string) bool {
	for _, p := range s.living {
		if p.Tenant == tenant {
			return true
		}
	}
	return false
}

// empty ends all pods and tenants. A tenant may be held by a pod that went without
// a DEL, until the sweep.
func (s *storm) empty() {
	s.t.Helper()
	for len(s.living) > 0 {
		s.ends(s.living[0])
	}
	require.Eventually(s.t, func() bool {
		var left []struct{ Name string }
		out, err := s.daemon.CLI(s.t.Context(), "tenant", "list", "-o", "json")
		if err != nil || json.Unmarshal([]byte(out), &left) != nil {
			return false
		}
		for _, tenant := range left {
			_ = s.run("tenant", "delete", tenant.Name)
		}
		return len(left) == 0
	}, 2*sweep, 100*time.Millisecond, "tenants stay")
}

// works says that a pod has what ADD answered.
func (s *storm) works(p *lab.Pod) {
	s.t.Helper()
	require.NoError(s.t, s.runtime().Check(s.t.Context(), p), name(p))
	require.NoError(s.t, lab.Ping(p.Namespace, p.Gateway, answered), name(p))
}
