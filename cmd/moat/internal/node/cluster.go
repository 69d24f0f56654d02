package node

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/delegations"
	"github.com/moatnet/moat/cmd/moat/internal/kube"
	"github.com/moatnet/moat/sdn"
)

// partCluster follows the Kubernetes API server.
const partCluster = "kubernetes"

// cluster is where pods' annotations are read; nil: nowhere.
func (b *base) cluster() (*kube.Cluster, error) {
	k := b.cfg.Kubernetes
	if !k.On() {
		return nil, nil
	}
	return kube.New(kube.Options{
		Access: kube.Access{Kubeconfig: k.Kubeconfig, InCluster: k.InCluster, Server: k.Server, CAFile: k.CAFile, TokenFile: k.TokenFile},
		Node:   strings.ToLower(b.nodeName), // as kubelets register their hosts' names
		Logger: b.log, UserAgent: "moat/" + Version,
	})
}

// agentOptions are the options that every agent of this process has, and the
// cluster that is to be run beside it; nil: none.
func (b *base) agentOptions() (agent.Options, *kube.Cluster, error) {
	o := agent.Options{BootID: b.boot, Node: b.nodeName, Logger: b.log, StickyFor: b.cfg.Kubernetes.StickyFor, DNS: b.tenantDNS,
		NetworksDir: b.networksDir()}
	var err error
	if o.Source, err = b.networkSource(); err != nil {
		return o, nil, err
	}
	if o.Delegations, err = delegations.Open(filepath.Join(b.cfg.DataDir, delegationsFolder)); err != nil {
		return o, nil, err
	}
	c, err := b.cluster()
	if err != nil {
		return o, nil, err
	}
	if c != nil {
		o.Cluster = c
	}
	return o, c, nil
}

// tenantDNS is what the configuration says of a tenant's name servers.
func (b *base) tenantDNS(of sdn.TenantID) (*types.DNS, string) {
	t := b.cfg.Tenants[string(of)]
	return &t.DNS, t.ResolvConf
}

// follow runs c, if there is one, as a part of a daemon.
func follow(t *tasks, c *kube.Cluster) {
	if c != nil {
		t.start(partCluster, func(ctx context.Context) error { return c.Run(ctx) })
	}
}
