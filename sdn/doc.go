// Package sdn holds the nouns of Moat's virtual network: routers, bridges,
// ports, links, chains, rules, routes, hosts, bindings and tunnel zones, in the
// words and with the meaning of the MidoNet REST API 5.x, and the interface
// API through which they are read and changed.
//
// It decides nothing and does nothing: no I/O, no kernel, no store. It imports
// nothing else of Moat, and every other package may import it.
package sdn
