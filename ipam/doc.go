// Package ipam manages addresses: tenants' records with their subnets and
// transit pairs, and leases of addresses held by attachments. Every decision is
// one transaction of its store.
//
// It never touches the kernel and knows nothing of routers or bridges but their
// IDs (plain strings). It imports nothing else of Moat.
package ipam
