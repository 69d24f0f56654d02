package tenant

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/client"
	"github.com/moatnet/moat/sdn/sdntest"
	dialect "github.com/moatnet/moat/sdn/wire"
)

// restWorld is a world whose topology an endpoint of a release serves, with the
// provider router in it.
type restWorld struct {
	*world
	endpoint *sdntest.Endpoint
	direct   *Manager // has the topology in process
	before   []string // the objects without a tenant
}

func newRESTWorld(t *testing.T, release dialect.Release) restWorld {
	w := newWorld(t)
	e := sdntest.Start(t, sdntest.WithAPI(w.topo), sdntest.WithRelease(release))
	r := restWorld{world: w, endpoint: e, direct: w.manager(t)}
	_, err := r.direct.EnsureProvider(t.Context())
	require.NoError(t, err)
	r.before = w.everything(t)
	return r
}

// agent is a manager whose SDN is a client of the endpoint.
func (w restWorld) agent(t *testing.T, timeout time.Duration) (*Manager, *client.Client) {
	c, err := client.New(client.Options{
		Endpoints: []string{w.endpoint.URL}, User: sdntest.User, Password: sdntest.Password, Timeout: timeout})
	require.NoError(t, err)
	return w.manager(t, func(o *Options) { o.API = c }), c
}

// mended are the ways in which a call goes wrong that a client gets over.
func mended() map[string]sdntest.Fault {
	return map[string]sdntest.Fault{
		"reset before": {Effect: sdntest.ResetBefore, Times: 1},
		"reset after":  {Effect: sdntest.ResetAfter, Times: 1},
		"truncated":    {Effect: sdntest.Truncate, Times: 1},
		"wrong type":   {Effect: sdntest.Retype, Times: 1, Body: "<html>welcome</html>"},
		"hangs":        {Effect: sdntest.Hang, Times: 1},
		"overloaded": {Effect: sdntest.Answer, Status: http.StatusServiceUnavailable, Times: 1,
			Header: http.Header{"Retry-After": {"0"}}},
	}
}

// final are the others.
func final() map[string]sdntest.Fault {
	return map[string]sdntest.Fault{
		"away from then on": {Effect: sdntest.ResetBefore},
		"unauthorized":      {Effect: sdntest.Answer, Status: http.StatusUnauthorized, Times: 1},
		"not found":         {Effect: sdntest.Answer, Status: http.StatusNotFound, Times: 1},
		"conflict":          {Effect: sdntest.Answer, Status: http.StatusConflict, Times: 1},
		"server error":      {Effect: sdntest.Answer, Status: http.StatusInternalServerError, Times: 1},
	}
}

// stride is how far apart the calls are that go wrong in the same bootstrap.
const stride = 7

// TestBootstrapOverRESTEndsDoneOrUndone sets up a tenant with its first pod by
// way of the API of either release, with each call of it going wrong in each
// way: it ends done when the client gets over that, else done or undone.
func TestBootstrapOverRESTEndsDoneOrUndone(t *testing.T) {
	for _, release := range []dialect.Release{dialect.V5, dialect.V1} {
		t.Run(release.Version(), func(t *testing.T) {
			good := newRESTWorld(t, release).bootstrap(t, patient, 0)
			require.NoError(t, good.err)
			require.Greater(t, good.calls, 20)
			for name, f := range mended() {
				t.Run(name, func(t *testing.T) { mendedAtEachCall(t, release, f, good) })
			}
			for name, f := range final() {
				t.Run(name, func(t *testing.T) { finalAtEachCall(t, release, f, good) })
			}
		})
	}
}

// The timeouts of an agent's client: for all faults, and where one has to be met.
const (
	patient = 10 * time.Second
	hasty   = 500 * time.Millisecond
)

func mendedAtEachCall(t *testing.T, release dialect.Release, f sdntest.Fault, good ending) {
	timeout := patient
	if f.Effect == sdntest.Hang {
		timeout = hasty
	}
	var hits atomic.Int64
	var g errgroup.Group // some of a fault is waiting
	for first := range stride {
		w := newRESTWorld(t, release)
		g.Go(func() error {
			var faults []sdntest.Fault
			for k := first; k < good.calls; k += stride {
				f := f
				f.Skip = k
				faults = append(faults, f)
			}
			end := w.bootstrap(t, timeout, good.objects, faults...)
			hits.Add(int64(end.hits))
			return errors.Join(end.err, end.check())
		})
	}
	require.NoError(t, g.Wait())
	require.GreaterOrEqual(t, int(hits.Load()), good.calls-stride, "the faults were met")
}

func finalAtEachCall(t *testing.T, release dialect.Release, f sdntest.Fault, good ending) {
	var hits, undone atomic.Int64
	const workers = 6 // some of a fault is waiting
	var g errgroup.Group
	for first := range workers {
		w := newRESTWorld(t, release)
		g.Go(func() error {
			for k := first; k < good.calls; k += workers {
				f := f
				f.Skip = k
				end := w.bootstrap(t, patient, good.objects, f)
				if err := end.check(); err != nil {
					return fmt.Errorf("call %d: %w", k, err)
				}
				hits.Add(int64(min(end.hits, 1)))
				if end.err != nil {
					undone.Add(1)
				}
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
	require.GreaterOrEqual(t, int(hits.Load()), good.calls-workers, "the fault was met")
	require.NotZero(t, undone.Load(), "no attach failed")
}

// ending is how a bootstrap ended, before and after the fault was healed.
type ending struct {
	calls, hits int
	objects     int   // of the tenant with its pod
	err         error // of the attach under the fault
	wrong       []error
}

func (e ending) check() error {
	if len(e.wrong) == 0 {
		return nil
	}
	return fmt.Errorf("attach: %w; then: %w", e.err, errors.Join(e.wrong...))
}

// bootstrap makes a tenant with a pod under a fault and looks at what is left:
// everything, or no pod. After the fault the next attach completes the tenant,
// and nothing stays of it when it is deleted.
func (w restWorld) bootstrap(t *testing.T, timeout time.Duration, objects int, faults ...sdntest.Fault) (end ending) {
	ctx := context.WithoutCancel(t.Context())
	m, c := w.agent(t, timeout)
	defer c.Close()
	calls := len(w.endpoint.Calls())
	for _, f := range faults {
		w.endpoint.Inject(f)
	}
	_, end.err = m.Attach(ctx, request(t, "blue", "c1"))
	end.calls, end.hits = len(w.endpoint.Calls())-calls, w.endpoint.Heal()
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			end.wrong = append(end.wrong, fmt.Errorf(format, args...))
		}
	}
	if end.err != nil {
		expect(m.Finish(ctx) == nil, "what was to be detached is not")
		leases := w.leases(t)
		expect(len(leases) == 0, "a failed attach leaves %d leases", len(leases))
		expect(len(w.pods.pairs) == 0, "a failed attach leaves %d pairs", len(w.pods.pairs))
		expect(w.boundPorts(t) == 0, "a failed attach leaves the pod's port")
		_, err := w.manager(t).Attach(ctx, request(t, "blue", "c1"))
		expect(err == nil, "the next attach: %v", err)
	}
	end.objects = len(w.everything(t)) - len(w.before)
	expect(end.objects == objects || objects == 0, "the tenant has %d objects, not %d", end.objects, objects)
	expect(len(w.leases(t)) == 1 && w.boundPorts(t) == 1, "the pod is not complete")
	expect(w.direct.Detach(ctx, attachment("c1")) == nil, "detach")
	expect(w.direct.DeleteTenant(ctx, "blue", false) == nil, "delete the tenant")
	after := w.everything(t)
	expect(slices.Equal(after, w.before), "after the tenant is deleted there is %v, not %v", after, w.before)
	return end
}

// boundPorts counts the ports that are bound to the host.
func (w restWorld) boundPorts(t *testing.T) (n int) {
	ports, err := w.topo.Ports(context.WithoutCancel(t.Context()), "")
	require.NoError(t, err)
	for _, p := range ports {
		if p.Host == w.host && p.Kind == sdn.BridgePort {
			n++
		}
	}
	return n
}

func TestProviderRouterOfAnEarlierMoatGetsItsTenant(t *testing.T) {
	w := newWorld(t)
	p, err := w.manager(t).EnsureProvider(t.Context())
	require.NoError(t, err)
	r, err := w.topo.Router(t.Context(), p.Router)
	require.NoError(t, err)
	require.Equal(t, providerTenant, r.TenantID)
	require.Error(t, validTenant(providerTenant), "no tenant can be called so")
	r.TenantID = ""
	require.NoError(t, w.topo.UpdateRouter(t.Context(), r))
	_, err = w.manager(t).EnsureProvider(t.Context())
	require.NoError(t, err)
	r, err = w.topo.Router(t.Context(), p.Router)
	require.NoError(t, err)
	require.Equal(t, providerTenant, r.TenantID)
}
