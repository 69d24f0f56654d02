// Package tenant makes, keeps and removes a tenant's network, and attaches pods
// to it. It is the place where the order of things is decided: what is recorded
// first, what follows, and how each step is undone.
//
// It knows the SDN and the allocator only as interfaces and never touches
// netlink, etcd or HTTP. It imports sdn and ipam; cmd may import it.
package tenant
