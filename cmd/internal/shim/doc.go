// Package shim is all that the thin plugins do: read what the runtime gives,
// refuse what is wrong with it, open the pod's namespace, pass the call to the
// daemon, run the plugins of others that the daemon names, and print exactly one
// JSON document.
//
// It decides nothing about networks and links neither etcd, net/http nor
// netlink. cmd/moat-cni and cmd/moat-ipam are made of it; cmd/moat uses it for
// calls that it serves in its own process.
package shim
