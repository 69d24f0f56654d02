// Package ipam holds the nouns of Moat's address management and the contract of
// its store: the installation's pools, tenants' records with their subnets and
// transit pairs, and leases of addresses held by attachments. Every decision is
// one transaction of the store; no lock, and no lease that expires under a
// running pod.
//
// It never touches the kernel and knows nothing of routers or bridges but their
// IDs (plain strings). It imports nothing else of Moat. Package ledger is the
// store, package ipamtest the suite that every store passes.
package ipam
