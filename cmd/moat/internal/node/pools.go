package node

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/holdings"
	"github.com/moatnet/moat/cmd/moat/internal/kube"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/tenant"
)

// What gives back the addresses of pools, and detaches, when a pod is gone, and
// restores what is missing of one that is not.
const (
	partRestorer = "restorer"
	partHoldings = "holdings"
	partOrphans  = "orphans"
	partNetworks = "networks" // of pods that have several
)

func (b *base) newPools() *ledger.Pools {
	return ledger.NewPools(etcdkv.New(b.store.client, b.cfg.Etcd.Prefix), ledger.PoolOptions{})
}

// newAgent makes the agent with the pools of the IPAM plugin, and what looks
// after what pods hold that are gone, and what others lack.
func (b *base) newAgent(m *tenant.Manager, api sdn.PortAPI) (*agent.Agent, *sweepers, error) {
	pools := b.newPools()
	o, cluster, err := b.agentOptions()
	if err != nil {
		return nil, nil, err
	}
	o.Service, o.Pools = m, roomyPools{pools, b.store}
	a, err := agent.New(o)
	alive := holdings.Pods{BootID: b.boot}
	var pods holdings.Cluster
	if cluster != nil {
		pods = cluster
	}
	return a, &sweepers{
		cluster:  cluster,
		holdings: &holdings.Sweeper{Store: pools, Reservations: b.ledger, Node: b.nodeName, Pods: alive, Cluster: pods, Log: b.log},
		orphans: &holdings.Orphans{Store: b.ledger, Detach: detacher{m, a}, Node: b.nodeName, Cluster: pods, Log: b.log,
			Orphan: holdings.Orphan{Pods: alive, Ports: api}},
		restorer: &holdings.Restorer{Store: b.ledger, Ports: api, Maker: m, Node: b.nodeName, Pods: alive, Log: b.log},
		networks: a.SweepNetworks,
	}, err
}

// detacher detaches pods that are gone, with what other plugins did for them.
type detacher struct {
	*tenant.Manager
	agent *agent.Agent
}

// DetachIf implements holdings.Detacher.
func (d detacher) DetachIf(ctx context.Context, rec ipam.Record, gone func(context.Context, ipam.Record) (bool, error)) (bool, error) {
	detached, err := d.Manager.DetachIf(ctx, rec, gone)
	if detached && err == nil {
		err = d.agent.Abandoned(ctx, rec.Attachment)
	}
	return detached, err
}

// sweepers give back what pods hold that are gone, restore what others lack, and
// follow the pods' cluster.
type sweepers struct {
	cluster  *kube.Cluster // nil: none
	holdings *holdings.Sweeper
	orphans  *holdings.Orphans
	restorer *holdings.Restorer
	networks func(context.Context) error
}

// start runs them as parts of a daemon.
func (s *sweepers) start(t *tasks) {
	t.start(partHoldings, s.holdings.Run)
	t.start(partOrphans, s.orphans.Run)
	t.start(partRestorer, s.restorer.Run)
	t.start(partNetworks, s.networks)
	follow(t, s.cluster)
}

// bootID is the kernel's name for this boot, random(4).
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot's ID: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
