// Package etcdkv is the etcd side of package ledger: a ledger.KV over a client
// and a key prefix. It decides nothing. cmd and tests may import it.
package etcdkv
