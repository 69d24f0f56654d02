// Package wishes reads what a pod asks for in its annotations: addresses, a MAC,
// a gateway, an address that stays, name servers. It also says whose a sticky
// address is.
//
// It is pure: it asks nobody and gives nothing; what is possible is decided by
// those who lease. The agent and package kube import it.
package wishes
