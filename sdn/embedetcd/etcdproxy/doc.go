// Package etcdproxy stands between a client and a server, etcd above all, and has
// the connection go wrong as networks, frozen processes and slow disks do: it
// refuses, says nothing, loses answers, cuts, or is late, and is well again when
// the test says so.
//
// It knows nothing of any protocol; what goes wrong may wait for bytes that name
// something. Only tests import it.
package etcdproxy
