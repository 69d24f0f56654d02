// Package netns makes, checks and removes the veth pair between a pod's network
// namespace and the namespace its host end belongs to. The pair is made in
// place: the host end where it stays, the peer straight in the pod's namespace,
// with one datagram of rtnetlink requests for each namespace.
//
// It keeps no state, starts no program, and leaves no thread in a foreign
// namespace. It knows nothing of tenants, ports or CNI and imports nothing else
// of Moat; the wiring under cmd may import it.
package netns
