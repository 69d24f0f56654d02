package dataplane_test

import (
	"context"
	"reflect"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane"
	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/nft"
	"github.com/moatnet/moat/sdn/plan"
)

// meter wraps a kernel and counts what passes, by name of the method.
type meter struct {
	dataplane.Kernel
	mu    sync.Mutex
	calls map[string]int
	// fail, when set, is asked before each write.
	fail func(method, space string) error
}

func newMeter(k dataplane.Kernel) *meter { return &meter{Kernel: k, calls: make(map[string]int)} }

func (m *meter) count(method, space string, n int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n > 0 {
		m.calls[method] += n
	}
	if m.fail != nil {
		return m.fail(method, space)
	}
	return nil
}

// taken returns the counts since the last call.
func (m *meter) taken() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.calls
	m.calls = make(map[string]int)
	return was
}

func (m *meter) CreateNamespace(name, alias string) error {
	if err := m.count("CreateNamespace", name, 1); err != nil {
		return err
	}
	return m.Kernel.CreateNamespace(name, alias)
}

func (m *meter) Open(name string) (dataplane.Space, error) {
	s, err := m.Kernel.Open(name)
	if err != nil {
		return nil, err
	}
	return &meteredSpace{Space: s, meter: m, name: name}, nil
}

type meteredSpace struct {
	dataplane.Space
	meter *meter
	name  string
}

func (s *meteredSpace) Links() ([]rtnl.Link, error) {
	out, err := s.Space.Links()
	return out, firstOf(s.meter.count("Links", s.name, 1), err)
}

func (s *meteredSpace) Link(name string) (rtnl.Link, bool, error) {
	l, ok, err := s.Space.Link(name)
	return l, ok, firstOf(s.meter.count("Link", s.name, 1), err)
}

func (s *meteredSpace) Addresses() ([]rtnl.Address, error) {
	out, err := s.Space.Addresses()
	return out, firstOf(s.meter.count("Addresses", s.name, 1), err)
}

func (s *meteredSpace) Routes() ([]rtnl.Route, error) {
	out, err := s.Space.Routes()
	return out, firstOf(s.meter.count("Routes", s.name, 1), err)
}

func (s *meteredSpace) Rules() ([]rtnl.Rule, error) {
	out, err := s.Space.Rules()
	return out, firstOf(s.meter.count("Rules", s.name, 1), err)
}

func (s *meteredSpace) Neighbours() ([]rtnl.Neighbour, error) {
	out, err := s.Space.Neighbours()
	return out, firstOf(s.meter.count("Neighbours", s.name, 1), err)
}

func (s *meteredSpace) Stations() ([]rtnl.Station, error) {
	out, err := s.Space.Stations()
	return out, firstOf(s.meter.count("Stations", s.name, 1), err)
}

func (s *meteredSpace) Write(batch []rtnl.Request) error {
	if len(batch) == 0 {
		return nil
	}
	if err := s.meter.count("Write", s.name, len(batch)); err != nil {
		return err
	}
	return s.Space.Write(batch)
}

func (s *meteredSpace) Sysctls(keys []string) (map[string]string, error) {
	out, err := s.Space.Sysctls(keys)
	return out, firstOf(s.meter.count("Sysctls", s.name, 1), err)
}

func (s *meteredSpace) SetSysctls(settings []plan.Sysctl) error {
	if err := s.meter.count("SetSysctls", s.name, len(settings)); err != nil {
		return err
	}
	return s.Space.SetSysctls(settings)
}

func (s *meteredSpace) Tables(ctx context.Context) ([]nft.Table, error) {
	out, err := s.Space.Tables(ctx)
	return out, firstOf(s.meter.count("Tables", s.name, 1), err)
}

func (s *meteredSpace) SetTables(ctx context.Context, have, want []nft.Table) (int, error) {
	if err := s.meter.count("SetTables", s.name, 0); err != nil {
		return 0, err
	}
	n, err := s.Space.SetTables(ctx, have, want)
	return n, firstOf(s.meter.count("SetTables", s.name, n), err)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) metered() *meter {
	l.t.Helper()
	m := newMeter(l.kernel())
	l.config.Kernel = m
	return m
}

// addOne adds a pod to a network and returns what that took.
func addOne(t *testing.T, l *lab, e *dataplane.Engine, m *meter, n network) map[string]int {
	t.Helper()
	_, err := e.Wiring(l.soon(), n.bridge, sdn.NewID[sdn.PortID]())
	require.NoError(t, err)
	m.taken()
	l.pod(e, n, "10.99.0.9/24")
	return m.taken()
}

func TestAddingAPortCostsTheSameWithFewAndManyTenants(t *testing.T) {
	cost := func(tenants int) map[string]int {
		l := newLab(t)
		m := l.metered()
		e, _ := l.run(l.config)
		n := l.tenant("red", "10.99.0.1/24")
		for range tenants - 1 {
			other := l.tenant("other", "10.98.0.1/24")
			_, err := e.Wiring(l.soon(), other.bridge, "x")
			require.NoError(t, err)
		}
		return addOne(t, l, e, m, n)
	}
	var few, many map[string]int
	for i := 0; i < 5 && (few == nil || !reflect.DeepEqual(few, many)); i++ { // on a busy machine the engine may do an agent's part
		few, many = cost(2), cost(100)
	}
	require.Equal(t, few, many)
	t.Log(few)
	require.Zero(t, few["Write"], "the agent made all as it is wanted")
	require.Zero(t, few["Links"], "nothing is listed")
	require.LessOrEqual(t, few["Link"], 3)
}
