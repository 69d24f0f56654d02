// Package ledger is the store of package ipam: its decisions as transactions
// over a key-value store, KV, of which there are two, in memory (here) and in
// etcd (package etcdkv). Each decision is one transaction whose Else branch
// brings what the loser needs to decide again.
//
// Keys, below the installation's prefix:
//
//	installation                            the address plan
//	tenants/TENANT                          ipam.Tenant
//	slots/subnet/NNNNNNNN, slots/transit/…  who holds a slot, or since when it is free
//	slots/pool/POOL/NNNNNNNN                the same, of a further pool
//	networks                                ipam.Networks
//	ranges, ranges/TENANT/AAA.BBB.CCC.DDD   revision of all ranges; tenants' own subnets
//	attachments/NODE/NETWORK/CONTAINER/IF   ipam.Record
//	addresses/TENANT/AAA.BBB.CCC.DDD        the attachment that holds an address
//	freed/TENANT/AAA.BBB.CCC.DDD            when an address was given back
//
// It keeps a picture of free addresses per subnet in memory: a hint, so that
// nearly every lease is one transaction at any fill; the transaction decides.
// It never touches kernel or SDN. cmd may import it; tenant knows it as
// ipam.Store.
package ledger
