// Package e2e holds no code: its tests drive the built programs from outside, in
// hosts that are network namespaces, with real packets and a real etcd.
package e2e
