// Package rtnl speaks rtnetlink with one network namespace: it reads links,
// addresses, routes, policy rules and permanent neighbours, and writes batches
// of changes in one datagram.
//
// It decides nothing and knows nothing of routers or bridges. It imports
// nothing else of Moat; only sdn/dataplane may import it.
package rtnl
