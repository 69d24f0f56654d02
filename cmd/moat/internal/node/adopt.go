package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/holdings"
	"github.com/moatnet/moat/cmd/moat/internal/survey"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/topology"
)

// adoptedNetwork is the network of records that a restore made for pods that the
// backup did not know. It is no configuration's name, so that no runtime's GC ends
// them; they end with the pod's namespace.
const adoptedNetwork = "(restored)"

// adoption makes records of pods of this node that were attached after the backup
// was made, so that they keep port and address. What it knows of them is what the
// kernel says: the marks of the pair's ends, and the address.
type adoption struct {
	*restore
	plan   ipam.Installation
	ledger *ledger.Ledger
	api    sdn.API
	host   sdn.HostID
	mtu    int
	boot   string

	snapshot ipam.Snapshot
}

// adopt looks for living pods that the restored records do not know.
func (r *restore) adopt(ctx context.Context) (err error) {
	a := adoption{restore: r, ledger: ledger.New(etcdkv.New(r.client, r.c.Etcd.Prefix), ledger.Options{})}
	if a.plan, err = a.ledger.EnsureInstallation(ctx, r.c.Installation()); err != nil {
		return err
	}
	t, err := topology.OpenEtcd(ctx, r.client, topology.Options{Prefix: r.c.Etcd.Prefix + "sdn/", Check: filter.Check, Logger: r.log, AllowDeadHosts: true})
	if err != nil {
		return fmt.Errorf("topology: %w", err)
	}
	defer t.Close()
	a.api = t.Local()
	if a.host, err = hostID(r.c); err != nil {
		return err
	}
	if a.boot, err = bootID(); err != nil {
		return err
	}
	if a.mtu, err = uplinkMTU(r.c, a.plan.ID); err != nil {
		return err
	}
	if a.snapshot, err = a.ledger.Snapshot(ctx); err != nil {
		return err
	}
	return a.all(ctx)
}

// all adopts one pod after the other, and says what became of each.
func (a *adoption) all(ctx context.Context) error {
	strays, err := a.node().Strays(ctx, a.snapshot)
	if err != nil {
		return err
	}
	for _, s := range strays {
		if _, err := a.api.Port(ctx, sdn.PortID(s.Port)); !errors.Is(err, sdn.ErrNotFound) {
			if err != nil {
				return err
			}
			continue
		}
		rec, err := a.one(ctx, s)
		switch {
		case err == nil:
			fmt.Fprintf(a.out, "pod at %s, which the backup does not know, keeps address %s of tenant %s\n", s.Pod.Path, rec.Address, rec.Tenant)
		case errors.Is(err, ipam.ErrUnavailable), errors.Is(err, sdn.ErrUnavailable):
			return err
		default:
			fmt.Fprintf(a.out, "warning: interface %s in namespace %s, which the backup does not know, is removed when the daemon starts: %v\n", s.Name, s.Namespace, err)
		}
	}
	return nil
}

func (a *adoption) node() *survey.Node {
	return &survey.Node{Name: a.Node, Installation: a.plan.ID, NetnsDir: a.c.RunNetns,
		Orphan: holdings.Orphan{Pods: holdings.Pods{BootID: a.boot}, Ports: a.api}}
}

// one writes record, lease and port of a pod.
func (a *adoption) one(ctx context.Context, s survey.Stray) (ipam.Record, error) {
	if s.Pod == nil {
		return ipam.Record{}, errors.New("it is of a tenant's network that was made after the backup, or of a pod whose namespace was not found: delete such a pod")
	}
	t, rec, err := a.record(ctx, s)
	if err != nil {
		return rec, err
	}
	if err := a.vacate(ctx, rec); err != nil {
		return rec, err
	}
	if rec, err = a.ledger.Lease(ctx, t, rec); err != nil {
		return rec, err
	}
	p := sdn.Port{ID: sdn.PortID(rec.Port), Kind: sdn.BridgePort, Device: sdn.DeviceID(rec.Bridge), AdminStateUp: true,
		Host: a.host, Interface: rec.HostName}
	if !a.c.AnySender {
		p.Senders = []sdn.Sender{{MAC: rec.PodMAC, Addrs: []netip.Addr{rec.Address}}}
	}
	if _, err := a.api.CreatePort(ctx, p); err != nil {
		return rec, errors.Join(err, a.ledger.Release(ctx, rec))
	}
	return rec, a.ledger.Confirm(ctx, []ipam.Record{rec})
}

// record is the pod's record as far as the kernel tells, with its tenant.
func (a *adoption) record(ctx context.Context, s survey.Stray) (ipam.Tenant, ipam.Record, error) {
	for _, t := range a.snapshot.Tenants {
		for _, sub := range t.Subnets {
			i := slices.IndexFunc(s.Pod.Addresses, func(p netip.Prefix) bool { return sub.Prefix.Contains(p.Addr()) })
			if i < 0 {
				continue
			}
			b, err := a.api.Bridge(ctx, sdn.BridgeID(sub.Bridge))
			if errors.Is(err, sdn.ErrNotFound) {
				continue
			}
			if err != nil {
				return t, ipam.Record{}, err
			}
			if filepath.Join(a.c.RunNetns, sdn.NamespaceName(b.Home.Device)) != s.Namespace {
				continue
			}
			return t, a.planned(t, sub, s, s.Pod.Addresses[i].Addr()), nil
		}
	}
	return ipam.Tenant{}, ipam.Record{}, fmt.Errorf("the backup has no subnet there for its addresses %s: delete the pod", s.Pod.Addresses)
}

func (a *adoption) planned(t ipam.Tenant, sub ipam.Subnet, s survey.Stray, address netip.Addr) ipam.Record {
	now := time.Now().UTC().Round(time.Millisecond)
	return ipam.Record{
		Attachment: ipam.Attachment{Node: a.Node, Network: adoptedNetwork, ContainerID: s.Port, IfName: s.Pod.Name},
		Owner:      a.boot, Deadline: now, At: now,
		Tenant: t.Name, Generation: t.Generation,
		Subnet: sub.Prefix, Address: address, Gateway: sub.Router(), MTU: a.mtu, Routes: []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0)},
		Bridge: sub.Bridge, Port: s.Port, Host: string(a.host),
		HostNS: s.Namespace, Master: sdn.InterfaceName(sdn.BridgeID(sub.Bridge)), HostName: s.Name,
		HostAlias: sdn.Stamp(a.plan.ID, string(sdn.KindPort), s.Port), HostMAC: s.MAC,
		PodNetns: s.Pod.Path, PodInode: s.Pod.Inode, BootID: a.boot, PodMAC: s.Pod.MAC,
	}
}

// vacate takes the address from who had it when the backup was made, if that pod is
// proven to be gone, and from a reservation: a living pod has it now.
func (a *adoption) vacate(ctx context.Context, rec ipam.Record) error {
	scope := ipam.Scope{Kind: ipam.TenantScope, Name: rec.Tenant}
	i := slices.IndexFunc(a.snapshot.Held, func(h ipam.Held) bool { return h.Scope == scope && h.Address == rec.Address })
	if i < 0 {
		return nil
	}
	switch h := a.snapshot.Held[i]; h.By.Kind {
	case ipam.ReservationRef:
		return a.unreserve(ctx, scope, rec.Address)
	case ipam.AttachmentRef:
		old, err := a.ledger.Attachment(ctx, h.By.Attachment)
		if err != nil {
			return err
		}
		seen := old
		seen.State = ipam.Added // no daemon runs: nobody is making it
		gone, err := a.node().Orphan.Gone(ctx, seen)
		if err != nil || !gone {
			return errors.Join(err, fmt.Errorf("its address %s is that of %s (pod %s/%s), which may be alive: delete one of the pods", rec.Address, old.Attachment, old.PodNamespace, old.PodName))
		}
		if err := a.api.DeletePort(ctx, sdn.PortID(old.Port)); err != nil && !errors.Is(err, sdn.ErrNotFound) {
			return err
		}
		if err := a.ledger.Release(ctx, old); err != nil {
			return err
		}
		if old.Reserved == nil {
			return nil
		}
		return a.unreserve(ctx, scope, rec.Address) // a sticky one is kept beyond its end
	}
	return fmt.Errorf("its address %s is held by what cannot be read", rec.Address)
}

func (a *adoption) unreserve(ctx context.Context, scope ipam.Scope, address netip.Addr) error {
	kept, err := a.ledger.Reservation(ctx, scope, address)
	if err != nil {
		return err
	}
	return a.ledger.Unreserve(ctx, kept)
}
