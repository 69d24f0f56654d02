package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/plan"
	"github.com/moatnet/moat/sdn/topology"
	"github.com/moatnet/moat/tenant"
)

// base is what every part stands on: the data directory, the store, and the
// installation's plan.
type base struct {
	cfg      config.Config
	log      *slog.Logger
	store    *store
	ledger   *ledger.Ledger
	plan     ipam.Installation
	networks ipam.Networks
	role     role
	host     sdn.HostID
	nodeName string
	boot     string // the kernel's name for this boot
	mtu      int
	// tombstones is the folder of what is to be detached yet; "": in memory.
	tombstones string
	unlock     func()
	resident   bool        // it lives on, and has the data directory to itself
	attendance *attendance // nil: no other process can use the store, or this one writes little
}

// role is what a process's configuration decides for others.
type role int

const (
	// assigner gives tenants their subnets: what it is not told of does not hold
	// any more.
	assigner role = iota
	helper
)

// openBase is for a process that has the data directory to itself.
func openBase(ctx context.Context, c config.Config, log *slog.Logger, as role) (*base, error) {
	unlock, err := lockDataDir(c.DataDir)
	if err != nil {
		return nil, err
	}
	b := &base{cfg: c, log: log, role: as, unlock: unlock, resident: true}
	if err := b.openHere(ctx); err != nil {
		unlock()
		return nil, err
	}
	return b, nil
}

// openShared is for one of several processes that use a data directory at once, each
// for a single call.
func openShared(ctx context.Context, c config.Config, log *slog.Logger, as role) (*base, error) {
	b := &base{cfg: c, log: log, role: as}
	return b, b.openHere(ctx)
}

// openHere opens a base with a data directory; after an error all but its lock is
// closed.
func (b *base) openHere(ctx context.Context) (err error) {
	if err := makeDataDir(b.cfg.DataDir); err != nil {
		return err
	}
	if b.host, err = hostID(b.cfg); err != nil {
		return err
	}
	b.tombstones = filepath.Join(b.cfg.DataDir, tombstonesFolder)
	if err := b.open(ctx); err != nil {
		return err
	}
	if b.mtu, err = uplinkMTU(b.cfg, b.plan.ID); err != nil {
		b.closeStore()
	}
	return err
}

// openElsewhere is for an operator's process, which may be anywhere: it has no
// data directory, and no host unless the configuration names one.
func openElsewhere(ctx context.Context, c config.Config, log *slog.Logger) (*base, error) {
	b := &base{cfg: c, log: log, role: helper}
	if c.HostID != "" {
		var err error
		if b.host, err = hostID(c); err != nil {
			return nil, err
		}
	}
	return b, b.open(ctx)
}

// open opens the store and reads the installation's plan; after an error all is
// closed.
func (b *base) open(ctx context.Context) (err error) {
	if b.nodeName, err = nodeName(b.cfg); err != nil {
		return err
	}
	if b.boot, err = bootID(); err != nil {
		return err
	}
	if b.store, err = openStore(ctx, b.cfg, b.log); err != nil {
		return err
	}
	if err := b.openRecords(ctx); err != nil {
		b.closeStore()
		return err
	}
	return nil
}

// openRecords reads the installation's plan, where no restore is under way.
func (b *base) openRecords(ctx context.Context) (err error) {
	if b.resident && len(b.cfg.Etcd.Endpoints) > 0 {
		err = b.attend(ctx)
	} else {
		err = refuseHalfRestored(ctx, b.store.client, b.cfg.Etcd.Prefix)
	}
	if err != nil {
		return err
	}
	b.ledger = ledger.New(etcdkv.New(b.store.client, b.cfg.Etcd.Prefix), ledger.Options{AddressCoolDown: cmp.Or(b.cfg.CoolDown, ledger.NoCoolDown)})
	if b.plan, err = b.ledger.EnsureInstallation(ctx, b.cfg.Installation()); err == nil {
		b.networks, err = b.openNetworks(ctx)
	}
	if err == nil && b.attendance != nil {
		err = b.attendance.stay(ctx)
	}
	if err != nil {
		return fmt.Errorf("installation %s: %w", b.cfg.Name, err)
	}
	return nil
}

// openNetworks states what the configuration says of address ranges. A process
// that only helps, and is not told of any, takes what the daemon stated: so that
// all give a tenant the same.
func (b *base) openNetworks(ctx context.Context) (ipam.Networks, error) {
	if b.role == helper && b.cfg.Networks.Silent() {
		return b.ledger.Networks(ctx)
	}
	return b.ledger.StateNetworks(ctx, b.cfg.Networks)
}

func (b *base) close() {
	b.closeStore()
	if b.unlock != nil {
		b.unlock()
	}
}

// closeStore ends what this process says of itself, and its connection.
func (b *base) closeStore() {
	if b.attendance != nil {
		b.attendance.leave()
	}
	if b.store != nil {
		b.store.close()
	}
}

// sdnPart is the topology with what its REST API needs.
type sdnPart struct {
	topology *topology.Topology
	password string
	log      *slog.Logger
	lifeline lifeline
	rest     *http.Server // nil: this part serves none
}

func (b *base) openSDN(ctx context.Context) (*sdnPart, error) {
	password, err := adminPassword(b.cfg.DataDir)
	if err != nil {
		return nil, err
	}
	t, err := topology.OpenEtcd(ctx, b.store.client, topology.Options{
		Prefix: b.cfg.Etcd.Prefix + "sdn/", Check: filter.Check, Logger: b.log,
	})
	if err != nil {
		return nil, fmt.Errorf("topology: %w", err)
	}
	return &sdnPart{topology: t, password: password, log: b.log, lifeline: lifeline{b.host, b.cfg.Uplink}}, nil
}

func (s *sdnPart) close() { _ = s.topology.Close() }

func (b *base) newEngine(ctx context.Context, t *topology.Topology, reports dataplane.Reports) (*dataplane.Engine, error) {
	if err := b.registerHost(ctx, t); err != nil {
		return nil, err
	}
	uplink, err := b.uplink()
	if err != nil {
		return nil, err
	}
	return dataplane.New(dataplane.Config{
		Source: t, Reports: reports, Logger: b.log, NetnsDir: b.cfg.RunNetns,
		Plan: plan.Config{Installation: b.plan.ID, Host: b.host, MTU: b.mtu, Uplink: uplink},
	})
}

// registerHost makes this host known to the topology.
func (b *base) registerHost(ctx context.Context, api sdn.HostAPI) error {
	_, err := api.CreateHost(ctx, sdn.Host{ID: b.host, Name: b.nodeName})
	if err != nil && !errors.Is(err, sdn.ErrExists) {
		return fmt.Errorf("register host %s: %w", b.nodeName, err)
	}
	return nil
}

func (b *base) uplink() (plan.Uplink, error) {
	port, err := tenant.UplinkPort(b.plan.ID)
	if err != nil || b.cfg.Uplink != "" {
		return plan.Uplink{Port: port}, err
	}
	host, _ := b.plan.Uplink()
	behind := append(b.networks.Routed(b.plan), b.plan.Transit)
	closed, err := closedPorts(b.cfg, net.DefaultResolver.LookupNetIP)
	return plan.Uplink{
		Port: port, HostAddress: host,
		HostRoutes: behind, Masquerade: behind, Closed: closed,
	}, err
}

// newManager is over an SDN in this process, or, without a source, elsewhere.
func (b *base) newManager(api sdn.API, source tenant.Source, engine tenant.Engine, ride func(sdn.Port) tenant.PortRider) (*tenant.Manager, error) {
	all, err := newInstances(b.boot)
	if err != nil {
		return nil, err
	}
	instance, err := all.own()
	if err != nil {
		return nil, err
	}
	return tenant.New(tenant.Options{
		API: api, Source: source, Store: roomyStore{b.ledger, b.store}, Engine: engine, Pods: pods{}, Ride: ride, Instance: instance, OwnerGone: all.gone,
		Plan: b.cfg.Installation(), Networks: b.networks, Node: b.nodeName, Host: b.host,
		Uplink: tenant.Uplink{Interface: b.cfg.Uplink, Address: b.cfg.UplinkAddress, Gateway: b.cfg.UplinkGateway},
		NoNAT:  b.cfg.NoNAT, MTU: b.mtu, AnySender: b.cfg.AnySender,
		TombstoneDir: b.tombstones, Log: b.log,
	})
}
