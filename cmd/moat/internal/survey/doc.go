// Package survey gathers what an audit of addresses compares the store with: the
// ports of the SDN, and on a node the interfaces and the pods that are there.
//
// It changes nothing. The daemon and the CLI use it.
package survey
