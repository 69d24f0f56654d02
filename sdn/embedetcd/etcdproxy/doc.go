// Package etcdproxy stands between a client and etcd and can stop to pass on
// what they say, as a frozen process or a cut wire does: connections stay open
// and nobody answers.
//
// It knows nothing of etcd's protocol. Only tests import it.
package etcdproxy
