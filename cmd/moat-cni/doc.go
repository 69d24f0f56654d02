// Moat-cni is the CNI plugin that a container runtime starts for every pod. It
// passes the call, and the pod's network namespace, to the daemon (moat up) and
// prints the answer; with "standalone": true it becomes "moat cni" instead.
//
// It is kept thin, since it is started for each call: nothing of etcd, HTTP,
// Kubernetes or netlink is linked into it.
package main
