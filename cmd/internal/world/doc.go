// Package world writes down everything that Moat could have changed, as lines of
// text: interfaces, addresses, routes, policy rules, permanent neighbours, nftables
// and sysctls of namespaces, which namespaces there are, files, and keys in etcd.
// Two of them are compared to see whether something was left behind or lost.
//
// It is a second opinion: it reads by libraries and the kernel's files alone and
// imports nothing of Moat's. Tests import it.
package world
