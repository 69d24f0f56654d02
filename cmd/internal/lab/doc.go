// Package lab makes small networks of real namespaces on this machine: hosts,
// pods, an outside; and sends real packets through them. The demonstration,
// the benchmark and the end-to-end tests stand on it.
//
// It never touches the machine's own interfaces, routes or nftables, and it
// imports nothing else of Moat: what it shows, it shows from outside. Only
// programs under cmd and their tests may import it; neither daemon nor plugin
// does.
package lab
