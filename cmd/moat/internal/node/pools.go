package node

import (
	"fmt"
	"os"
	"strings"

	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/holdings"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/tenant"
)

// partHoldings is what gives back the addresses of pools whose pods are gone.
const partHoldings = "holdings"

// newAgent makes the agent with the pools of the IPAM plugin, and what looks
// after them.
func (b *base) newAgent(s tenant.Service) (*agent.Agent, *holdings.Sweeper, error) {
	boot, err := bootID()
	if err != nil {
		return nil, nil, err
	}
	pools := ledger.NewPools(etcdkv.New(b.store.client, b.cfg.Etcd.Prefix), ledger.PoolOptions{})
	a, err := agent.New(agent.Options{Service: s, Pools: pools, BootID: boot, Node: b.nodeName, Logger: b.log})
	return a, &holdings.Sweeper{Store: pools, Node: b.nodeName, BootID: boot, Log: b.log}, err
}

// bootID is the kernel's name for this boot, random(4).
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot's ID: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
