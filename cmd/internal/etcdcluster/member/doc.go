// Command member is one member of a test's etcd cluster: NAME DIR CLUSTER QUOTA DISKS.
// It serves until it is killed. Only package etcdcluster starts it.
package main
