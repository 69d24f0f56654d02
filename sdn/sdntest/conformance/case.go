package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/moatnet/moat/sdn/wire"
)

// Case is one statement about the dialect.
type Case struct {
	Cells []string       // the lines that it proves; at least one
	Only  []wire.Release // empty: the statement holds in all releases
	// Own is set where something must be done beside HTTP.
	Own bool
	// Differs says what MidoNet does instead, in the lines where Moat differs
	// on purpose; such a case is for Moat alone.
	Differs string
	Run     func(*Wire)
}

// Name names the case by its cells.
func (c Case) Name() string {
	name := strings.Join(c.Cells, "+")
	if slices.Contains(c.Only, wire.V1) {
		name += " in 1.9"
	}
	return name
}

// Fits reports whether the case can be run on a target.
func (c Case) Fits(t Target) bool {
	if t.Own == nil && (c.Own || c.Differs != "") {
		return false
	}
	return len(c.Only) == 0 || slices.Contains(c.Only, t.Release)
}

// Cases is the register: every case there is.
func Cases() []Case {
	var all []Case
	for _, part := range []func() []Case{
		rootCases, httpCases, mediaCases, loginCases, tenantCases,
		routerCases, bridgeCases, portCases, routerPortCases, linkCases,
		chainCases, ruleCases, conditionCases, routeCases,
		portGroupCases, addrGroupCases, groupConditions, neighbourCases, dhcpCases,
		hostCases, bindingCases, zoneCases, unservedCases, pythonCases, releaseCases, roleCases, keystoneCases,
	} {
		all = append(all, part()...)
	}
	return all
}

// Run runs every case and flow that fits a target and returns the names of the
// cases that it ran.
func Run(t *testing.T, target Target) map[string]bool {
	ran := map[string]bool{}
	token := newWire(t, target).login()
	for _, c := range Cases() {
		if !c.Fits(target) {
			continue
		}
		t.Run(c.Name(), func(t *testing.T) {
			ran[c.Name()] = true
			w := newWire(t, target)
			w.token = token
			c.Run(w)
		})
	}
	for _, f := range Flows() {
		if c := (Case{Only: f.Only, Differs: f.Differs}); c.Fits(target) {
			t.Run("flow of "+f.Name, func(t *testing.T) {
				w := newWire(t, target)
				w.token = token
				f.Run(w)
			})
		}
	}
	return ran
}

// proves makes a case for lines that hold in all releases.
func proves(cells string, run func(*Wire)) Case {
	return Case{Cells: strings.Fields(cells), Run: run}
}

// in limits a case to one release.
func (c Case) in(r wire.Release) Case {
	c.Only = []wire.Release{r}
	return c
}

// differs says what MidoNet does instead.
func (c Case) differs(midonet string) Case {
	c.Differs = midonet
	return c
}

// beside marks a case that does something beside HTTP.
func (c Case) beside() Case {
	c.Own = true
	return c
}
