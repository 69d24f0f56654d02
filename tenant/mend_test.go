package tenant

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// damaged is a tenant's network that somebody is about to delete parts of.
type damaged struct {
	*world
	m      *Manager
	mender *mender
	red    layout
	base   *base
	before []string
	log    bytes.Buffer
}

func newDamaged(t *testing.T, local bool) *damaged {
	d := &damaged{world: newWorld(t)}
	d.m = d.manager(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(&d.log, nil))
		if local {
			o.Source = d.topo
		}
	})
	for _, name := range []sdn.TenantID{"blue", "red"} {
		_, err := d.m.EnsureTenant(t.Context(), name)
		require.NoError(t, err)
	}
	n, _ := d.m.remembered("red")
	d.base, d.mender = d.m.known(), newMender(d.m)
	d.red = d.base.around.layout(n.names, n.record)
	d.before = d.everything(t)
	return d
}

// swept sweeps as often as it is told to, up to the time that is left.
func (d *damaged) swept(t *testing.T, left time.Duration) {
	t.Helper()
	for now := time.Now(); left > 0; {
		again, err := d.mender.sweep(t.Context(), now)
		require.NoError(t, err)
		require.Positive(t, again)
		now, left = now.Add(again), left-again
	}
}

func TestWhatIsDeletedOfATenantsNetworkIsMadeAgain(t *testing.T) {
	for name, del := range map[string]func(context.Context, *damaged) error{
		"inbound chain": func(ctx context.Context, d *damaged) error { return d.topo.DeleteChain(ctx, d.red.In.ID) },
		"drop rule":     func(ctx context.Context, d *damaged) error { return d.topo.DeleteRule(ctx, d.red.InRules[3].ID) },
		"all rules of a chain": func(ctx context.Context, d *damaged) (err error) {
			for _, r := range d.red.OutRules {
				err = errors.Join(err, d.topo.DeleteRule(ctx, r.ID))
			}
			return err
		},
		"router": func(ctx context.Context, d *damaged) error { return d.topo.DeleteRouter(ctx, d.red.Router.ID) },
		"bridge": func(ctx context.Context, d *damaged) error {
			return d.topo.DeleteBridge(ctx, d.red.Bridges[0].Bridge.ID)
		},
		"route":                  func(ctx context.Context, d *damaged) error { return d.topo.DeleteRoute(ctx, d.red.Routes[0].ID) },
		"local route":            deleteLocal(func(d *damaged) sdn.Port { return d.red.Near }),
		"gateway's local route":  deleteLocal(func(d *damaged) sdn.Port { return d.red.Bridges[0].Gateway }),
		"provider's local route": deleteLocal(func(d *damaged) sdn.Port { return d.red.Far }),
		"uplink's local route":   deleteLocal(func(d *damaged) sdn.Port { return d.base.layout.Uplink }),
		"provider's route": func(ctx context.Context, d *damaged) error {
			return d.topo.DeleteRoute(ctx, d.red.ProviderRoutes[0].ID)
		},
		"provider's port": func(ctx context.Context, d *damaged) error { return d.topo.DeletePort(ctx, d.red.Far.ID) },
		"router's port": func(ctx context.Context, d *damaged) error {
			return d.topo.DeletePort(ctx, d.red.Bridges[0].Gateway.ID)
		},
		"link":             func(ctx context.Context, d *damaged) error { return d.topo.Unlink(ctx, d.red.Near.ID) },
		"router's filters": removeFilters,
		"provider router":  func(ctx context.Context, d *damaged) error { return d.topo.DeleteRouter(ctx, d.base.layout.Router.ID) },
		"uplink":           func(ctx context.Context, d *damaged) error { return d.topo.DeletePort(ctx, d.base.layout.Uplink.ID) },
		"uplink's binding": func(ctx context.Context, d *damaged) error { return d.topo.Unbind(ctx, d.base.layout.Uplink.ID) },
		"provider's way out": func(ctx context.Context, d *damaged) error {
			return d.topo.DeleteRoute(ctx, d.base.layout.Routes[0].ID)
		},
	} {
		for at, local := range map[string]bool{" in this process": true, " elsewhere": false} {
			t.Run(name+at, func(t *testing.T) {
				d := newDamaged(t, local)
				d.swept(t, 25*time.Second)
				require.Empty(t, d.log.String(), "nothing is missing yet")
				require.NoError(t, del(t.Context(), d))
				if name != "router's filters" {
					require.NotEqual(t, d.before, d.everything(t), "it is gone")
				}
				d.swept(t, 25*time.Second)
				require.Equal(t, withoutRouteIDs(d.before), withoutRouteIDs(d.everything(t)))
				router, err := d.topo.Router(t.Context(), d.red.Router.ID)
				require.NoError(t, err)
				require.Equal(t, d.red.Router, router)
				require.Contains(t, d.log.String(), "were deleted; they are made again")
			})
		}
	}
}

// withoutRouteIDs leaves out what another may choose of a Local route.
func withoutRouteIDs(all []string) (out []string) {
	for _, line := range all {
		if f := strings.Fields(line); f[0] == "route" {
			line = "route " + f[2]
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func deleteLocal(of func(*damaged) sdn.Port) func(context.Context, *damaged) error {
	return func(ctx context.Context, d *damaged) error {
		port := of(d)
		routes, err := d.topo.Routes(ctx, sdn.RouterID(port.Device))
		for _, r := range routes {
			if r.Type == sdn.RouteLocal && r.NextHopPort == port.ID {
				return d.topo.DeleteRoute(ctx, r.ID)
			}
		}
		return errors.Join(err, sdn.ErrNotFound)
	}
}

// noLocal is an API that takes no Local routes.
type noLocal struct{ sdn.API }

func (n noLocal) CreateRoute(ctx context.Context, r sdn.Route) (sdn.Route, error) {
	if r.Type == sdn.RouteLocal {
		return sdn.Route{}, sdn.ErrInvalid
	}
	return n.API.CreateRoute(ctx, r)
}

func TestLocalRoutesThatTheSDNRefusesAreTriedOnce(t *testing.T) {
	d := newDamaged(t, false)
	d.m.opt.API = noLocal{d.topo}
	d.m.keep.api = d.m.opt.API
	require.NoError(t, deleteLocal(func(d *damaged) sdn.Port { return d.red.Near })(t.Context(), d))
	d.swept(t, 25*time.Second)
	rec, err := d.m.opt.Store.Tenant(t.Context(), "red")
	require.NoError(t, err)
	d.swept(t, 100*time.Second)
	now, err := d.m.opt.Store.Tenant(t.Context(), "red")
	require.NoError(t, err)
	require.Equal(t, rec.Revision, now.Revision, "what cannot be mended is left alone")
	require.Equal(t, 1, strings.Count(d.log.String(), "takes no Local routes"))
}

func removeFilters(ctx context.Context, d *damaged) error {
	r := d.red.Router
	r.InboundFilter, r.OutboundFilter = "", ""
	return d.topo.UpdateRouter(ctx, r)
}

func TestWhatOperatorsAddToATenantsNetworkStays(t *testing.T) {
	d := newDamaged(t, true)
	_, err := d.topo.CreateRule(t.Context(), sdn.Rule{Chain: d.red.In.ID, Type: sdn.RuleAccept, Position: 1})
	require.NoError(t, err)
	bridge, err := d.topo.CreateBridge(t.Context(), sdn.Bridge{Name: "own", TenantID: "red", AdminStateUp: true})
	require.NoError(t, err)
	require.NoError(t, d.topo.DeleteRule(t.Context(), d.red.InRules[0].ID))
	d.swept(t, 25*time.Second)
	rules, err := d.topo.Rules(t.Context(), d.red.In.ID)
	require.NoError(t, err)
	require.Len(t, rules, len(d.red.InRules)+1)
	_, err = d.topo.Bridge(t.Context(), bridge.ID)
	require.NoError(t, err)
}

func TestATenantThatIsDeletedIsNotMadeAgain(t *testing.T) {
	d := newDamaged(t, true)
	found, err := d.mender.find(t.Context(), d.base)
	require.NoError(t, err)
	require.Empty(t, found)
	rec, err := d.m.opt.Store.Tenant(t.Context(), "red")
	require.NoError(t, err)
	require.NoError(t, d.m.DeleteTenant(t.Context(), "red", false))
	without := d.everything(t)
	// As it was seen by one who read the record before, and the SDN after the removal.
	require.NoError(t, d.mender.mend(t.Context(), d.base, &wound{rec: rec, lacks: []string{"all"}}))
	d.swept(t, 25*time.Second)
	require.Equal(t, without, d.everything(t))
	_, err = d.m.opt.Store.Tenant(t.Context(), "red")
	require.ErrorIs(t, err, ipam.ErrNotFound)
}

// Somebody who deletes again and again is answered more and more slowly, and
// within 30 seconds.
func TestMendingBacksOff(t *testing.T) {
	d := newDamaged(t, true)
	now := time.Now()
	mended := func() (after time.Duration) {
		require.NoError(t, d.topo.DeleteRule(t.Context(), d.red.InRules[3].ID))
		for start := now; ; {
			again, err := d.mender.sweep(t.Context(), now)
			require.NoError(t, err)
			if _, err := d.topo.Rule(t.Context(), d.red.InRules[3].ID); err == nil {
				return now.Sub(start)
			}
			now = now.Add(again)
		}
	}
	first, last := mended(), time.Duration(0)
	require.Less(t, first, time.Second)
	for range 10 {
		last = mended()
		require.Less(t, last, 30*time.Second)
	}
	require.Greater(t, last, 10*time.Second)
	now = now.Add(mendPeace + time.Second)
	_, err := d.mender.sweep(t.Context(), now)
	require.NoError(t, err)
	require.Less(t, mended(), time.Second, "after some time without damage")
}

// What was left half way is done in two sweeps, and not in the first: whoever is at
// it gets done.
func TestNetworksThatWereLeftHalfWayAreFinished(t *testing.T) {
	halfMade := func(ctx context.Context, d *damaged) error {
		_, err := d.m.claim(ctx, d.base, "green")
		return err
	}
	halfRemoved := func(ctx context.Context, d *damaged) error {
		rec, err := d.m.opt.Store.Tenant(ctx, "red")
		if err != nil {
			return err
		}
		if _, err = d.m.opt.Store.MarkDeleting(ctx, rec); err != nil {
			return err
		}
		return d.topo.DeleteBridge(ctx, d.red.Bridges[0].Bridge.ID)
	}
	for name, c := range map[string]struct {
		leave func(context.Context, *damaged) error
		want  map[string]ipam.TenantState
	}{
		"made":    {halfMade, map[string]ipam.TenantState{"blue": ipam.TenantReady, "red": ipam.TenantReady, "green": ipam.TenantReady}},
		"removed": {halfRemoved, map[string]ipam.TenantState{"blue": ipam.TenantReady}},
	} {
		t.Run("half "+name, func(t *testing.T) {
			d := newDamaged(t, true)
			require.NoError(t, c.leave(t.Context(), d))
			left := d.everything(t)
			now := time.Now()
			again, err := d.mender.sweep(t.Context(), now)
			require.NoError(t, err)
			require.Equal(t, left, d.everything(t), "the first sweep leaves it to whoever is at it")
			_, err = d.mender.sweep(t.Context(), now.Add(again))
			require.NoError(t, err)
			recs, err := d.m.opt.Store.Tenants(t.Context())
			require.NoError(t, err)
			have := map[string]ipam.TenantState{}
			for _, r := range recs {
				have[r.Name] = r.State
			}
			require.Equal(t, c.want, have)
			found, err := d.mender.find(t.Context(), d.base)
			require.NoError(t, err)
			require.Empty(t, found)
			if name == "removed" {
				for _, line := range d.everything(t) {
					require.NotContains(t, line, "red ")
				}
			}
		})
	}
}

// Nobody waits for the next sweep when the SDN tells of a deletion.
func TestDeletionsAreHeardOf(t *testing.T) {
	d := newDamaged(t, true)
	ctx, cancel := context.WithCancel(t.Context())
	wake, ended := make(chan struct{}, 1), make(chan struct{})
	go func() { defer close(ended); d.mender.follow(ctx, wake) }()
	defer func() { cancel(); <-ended }()
	require.Eventually(t, func() bool {
		c, err := d.topo.CreateChain(t.Context(), sdn.Chain{Name: "own", TenantID: "red"})
		require.NoError(t, err)
		require.NoError(t, d.topo.DeleteChain(t.Context(), c.ID))
		return len(wake) > 0
	}, time.Minute, 10*time.Millisecond)
}

// Somebody who deletes what is his own all the time holds up no mending.
func TestOthersDeletionsHoldNothingUp(t *testing.T) {
	d := newDamaged(t, true)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.mender.run(ctx) }()
	defer func() { cancel(); <-ended }()
	require.NoError(t, d.topo.DeleteRule(t.Context(), d.red.InRules[3].ID))
	require.Eventually(t, func() bool {
		c, err := d.topo.CreateChain(t.Context(), sdn.Chain{Name: "own", TenantID: "blue"})
		require.NoError(t, err)
		require.NoError(t, d.topo.DeleteChain(t.Context(), c.ID))
		_, err = d.topo.Rule(t.Context(), d.red.InRules[3].ID)
		return err == nil
	}, time.Minute, 50*time.Millisecond)

}

// What somebody made otherwise stays, and keeps no filter from being made again.
func TestWhatDiffersHoldsNoFilterUp(t *testing.T) {
	for name, change := range map[string]func(context.Context, *damaged) error{
		"the uplink's interface has another port": func(ctx context.Context, d *damaged) error {
			up, err := d.topo.Port(ctx, d.base.layout.Uplink.ID)
			err = errors.Join(err, d.topo.DeletePort(ctx, up.ID))
			up.ID = sdn.PortID(uuid.NewString())
			_, failed := d.topo.CreatePort(ctx, up)
			return errors.Join(err, failed)
		},
		"the gateway is linked elsewhere": func(ctx context.Context, d *damaged) error {
			gateway := d.red.Bridges[0].Gateway.ID
			err := d.topo.Unlink(ctx, gateway)
			b, failed := d.topo.CreateBridge(ctx, sdn.Bridge{Name: "own", TenantID: "red", AdminStateUp: true})
			err = errors.Join(err, failed)
			p, failed := d.topo.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b.ID), AdminStateUp: true})
			return errors.Join(err, failed, d.topo.Link(ctx, gateway, p.ID))
		},
		"the bridge is called another tenant's": func(ctx context.Context, d *damaged) error {
			b := d.red.Bridges[0].Bridge
			b.TenantID = "blue"
			return d.topo.UpdateBridge(ctx, b)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDamaged(t, true)
			require.NoError(t, change(t.Context(), d))
			for _, r := range slices.Concat(d.red.InRules, d.red.OutRules) {
				require.NoError(t, d.topo.DeleteRule(t.Context(), r.ID))
			}
			now := time.Now()
			for end := now.Add(100 * time.Second); now.Before(end); {
				again, _ := d.mender.sweep(t.Context(), now) // it says what differs
				require.Positive(t, again)
				now = now.Add(again)
			}
			for _, r := range slices.Concat(d.red.InRules, d.red.OutRules) {
				_, err := d.topo.Rule(t.Context(), r.ID)
				require.NoError(t, err, "%s rule", r.Type)
			}
		})
	}
}

func TestPodsComeAndGoWithoutALook(t *testing.T) {
	d := newDamaged(t, true)
	var all []sdn.Change
	var mu sync.Mutex
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = d.topo.Follow(ctx, func(changes []sdn.Change) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, changes...)
		})
	}()
	require.Eventually(t, func() bool { // it begins with all that there is
		mu.Lock()
		defer mu.Unlock()
		return len(all) > 0
	}, time.Minute, time.Millisecond)
	a, err := d.m.Attach(t.Context(), request(t, "red", "c1"))
	require.NoError(t, err)
	require.NoError(t, d.m.Detach(t.Context(), attachment("c1")))
	gone := func(c sdn.Change) bool {
		p, ok := c.Before.(sdn.Port)
		return ok && c.After == nil && p.Interface == a.Host.Name
	}
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.ContainsFunc(all, gone)
	}, time.Minute, time.Millisecond)
	cancel()
	<-ended
	require.False(t, slices.ContainsFunc(all, damages))
}
