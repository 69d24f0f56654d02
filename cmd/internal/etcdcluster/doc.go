// Package etcdcluster runs an etcd of several members for tests, and has them fail
// as machines do: a process is killed or stopped, a cable is out, a disk is slow.
//
// Each member is a process of its own, the program below member, in a network
// namespace of its own. Members speak to each other over TCP through a bridge, and to
// clients on unix sockets, which are there for all namespaces. It knows nothing of
// what is stored. Only tests import it.
package etcdcluster
