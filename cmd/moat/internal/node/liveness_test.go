package node

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/topology"
)

// twoProcesses are an engine's voice and a server that hears it, each with a
// topology and a client of its own.
type twoProcesses struct {
	t      *testing.T
	dir    string
	etcd   *embedetcd.Server
	engine *voice
	server *topology.Topology
	host   sdn.HostID
	hush   func()        // ends the voice
	failed chan struct{} // holds a token when the voice could not write
}

// Write takes a line of the log.
func (p *twoProcesses) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("liveness cannot be written")) {
		select {
		case p.failed <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}

const livePrefix = "/moat/live/"

func newTwoProcesses(t *testing.T) *twoProcesses {
	dir, err := os.MkdirTemp("", "l")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	p := &twoProcesses{t: t, dir: dir, host: sdn.HostID(uuid.NewString()), failed: make(chan struct{}, 1)}
	p.start()
	t.Cleanup(p.stop)
	log := slog.New(slog.NewTextHandler(p, &slog.HandlerOptions{Level: slog.LevelWarn}))
	p.server = topology.NewMemory(topology.Options{AllowDeadHosts: true})
	local := topology.NewMemory(topology.Options{})
	t.Cleanup(func() { require.NoError(t, local.Close()); require.NoError(t, p.server.Close()) })
	p.engine = newVoice(p.client(), livePrefix, local, log)
	hears := p.client()
	tasks := newTasks(log)
	tasks.start("hear", func(ctx context.Context) error { return hearLiveness(ctx, hears, livePrefix, p.server, log) })
	tasks.start("voice", p.engine.Run)
	p.hush = func() { tasks.stopAll("voice") }
	t.Cleanup(func() { tasks.stopAll("voice", "hear") })
	_, err = p.server.CreateHost(t.Context(), sdn.Host{ID: p.host, Name: "node1"})
	require.NoError(t, err)
	zone, err := p.server.CreateTunnelZone(t.Context(), sdn.TunnelZone{ID: sdn.TunnelZoneID(uuid.NewString()), Name: "z", Type: "vxlan"})
	require.NoError(t, err)
	require.NoError(t, p.server.AddTunnelZoneHost(t.Context(), sdn.TunnelZoneHost{Zone: zone.ID, Host: p.host, Address: netip.MustParseAddr("192.0.2.1")}))
	return p
}

func (p *twoProcesses) start() {
	p.t.Helper()
	var err error
	p.etcd, err = embedetcd.Start(p.t.Context(), embedetcd.Config{Dir: p.dir})
	require.NoError(p.t, err)
}

func (p *twoProcesses) stop() {
	if p.etcd != nil {
		p.etcd.Close()
		p.etcd = nil
	}
}

// client is one that outlives a restart of etcd.
func (p *twoProcesses) client() *clientv3.Client {
	p.t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{p.etcd.Endpoint()}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = c.Close() })
	return c
}

// port makes a bound port at the server.
func (p *twoProcesses) port() sdn.PortID {
	p.t.Helper()
	ctx := p.t.Context()
	b, err := p.server.CreateBridge(ctx, sdn.Bridge{ID: sdn.BridgeID(uuid.NewString()), Name: "b", AdminStateUp: true})
	require.NoError(p.t, err)
	made, err := p.server.CreatePort(ctx, sdn.Port{ID: sdn.PortID(uuid.NewString()), Kind: sdn.BridgePort, Device: sdn.DeviceID(b.ID),
		AdminStateUp: true, Host: p.host, Interface: "if" + uuid.NewString()[:8]})
	require.NoError(p.t, err)
	return made.ID
}

func (p *twoProcesses) active(port sdn.PortID) func() bool {
	return func() bool {
		have, err := p.server.Port(context.Background(), port)
		return err == nil && have.Active
	}
}

func (p *twoProcesses) alive() bool {
	h, err := p.server.Host(context.Background(), p.host)
	return err == nil && h.Alive
}

const (
	soon   = 8 * time.Second // less than a lease lives without being kept
	little = 10 * time.Millisecond
)

func TestPortThatGoesDownWhileEtcdIsAwayIsInactive(t *testing.T) {
	p := newTwoProcesses(t)
	p.engine.SetAlive(p.host, true)
	require.Eventually(t, p.alive, soon, little)
	down, stays, fresh := p.port(), p.port(), p.port()
	p.engine.SetActive(down, true)
	p.engine.SetActive(stays, true)
	require.Eventually(t, p.active(down), soon, little)
	require.Eventually(t, p.active(stays), soon, little)

	p.stop()
	p.engine.SetActive(down, false)
	p.engine.SetActive(fresh, true)
	for range 2 { // the second time all is said anew
		select {
		case <-p.failed:
		case <-time.After(4 * writePatience):
			t.Fatal("the voice has not tried")
		}
	}
	p.start()

	require.Eventually(t, p.active(fresh), 2*soon, little)
	require.Eventually(t, func() bool { return !p.active(down)() }, soon, little)
	require.True(t, p.active(stays)())
	require.True(t, p.alive())
}

func TestWhatCouldNotBeWrittenStaysToBeWritten(t *testing.T) {
	p := newTwoProcesses(t)
	p.hush()
	p.engine.SetActive("one", false)
	p.engine.SetActive("two", true)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, p.engine.flush(ended, clientv3.NoLease))
	require.Equal(t, map[string]bool{"ports/one": false, "ports/two": true}, p.engine.pending)
	require.NoError(t, p.engine.flush(t.Context(), clientv3.NoLease))
	require.Empty(t, p.engine.pending)
}

// A lease that is lost is replaced, and all is said again under the new one; the
// end of the voice is the end of its lease.
func TestALostLeaseIsReplaced(t *testing.T) {
	p := newTwoProcesses(t)
	p.engine.SetAlive(p.host, true)
	require.Eventually(t, p.alive, soon, little)
	c := p.client()
	leases := func() []clientv3.LeaseStatus {
		res, err := c.Leases(t.Context())
		require.NoError(t, err)
		return res.Leases
	}
	first := leases()
	require.Len(t, first, 1)
	_, err := c.Revoke(t.Context(), first[0].ID)
	require.NoError(t, err)
	require.Eventually(t, func() bool { now := leases(); return len(now) == 1 && now[0].ID != first[0].ID }, 2*soon, little)
	require.Eventually(t, p.alive, soon, little)
	p.hush()
	require.Empty(t, leases())
	require.Eventually(t, func() bool { return !p.alive() }, soon, little)
}
