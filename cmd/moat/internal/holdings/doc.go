// Package holdings gives back the addresses of pools whose pods are gone without
// a DEL: after a reboot, or when a runtime forgot them.
//
// It proves that a pod is gone before it takes anything, and touches no
// interface. The daemon runs it.
package holdings
