// Package agent is the daemon's side of the CNI plugins: it listens on the
// socket, checks who calls and what the network configuration says, turns a CNI
// call into a call of tenant.Service, and its answer into a CNI result or error
// of the version that was asked for. What a pod asks for in its annotations it
// learns from a Cluster, once for an ADD.
//
// A pod may have several networks, which a network source names (networks*.go):
// they are recorded, then made one after the other, each by the tenant's service or
// by plugins of others.
//
// It decides nothing about networks and touches neither kernel, etcd nor the
// SDN. Commands under cmd/moat import it.
package agent
