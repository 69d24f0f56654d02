// Package topology implements sdn.API over a graph in memory that mirrors what
// is stored: the rules of the MidoNet API for references, links, bindings,
// cascades, kept fields and the defaults that the server decides.
//
// Reads come from the graph. A write is computed on the graph together with the
// revisions that it relied on, and committed as one transaction that compares
// them; on a conflict the graph catches up and the write is computed anew. Writes
// that Options.Check is asked about are tried on a second graph, so that no
// reader waits for the check.
//
// # What is stored
//
// Every object is one key, <kind>/<id>, so that the key itself keeps an ID
// unique; that of a member or an entry is made of what it joins, such as
// member/<zone>/<host>. A DHCP subnet has an ID of its own, below which its hosts
// are stored, so that its prefix can change. Four kinds of key hold a decision
// that several objects share: order/<chain> lists the rules of a chain,
// bind/<host>/<interface> keeps an interface name unique on a host,
// zonename/<name> a tunnel zone's name, prefix/<bridge>/<prefix> a subnet's
// prefix on its bridge. head is put by every transaction: its revision is the
// revision of the last write. schema holds the version of all this; whoever
// opens an older one raises it.
//
// A reference is not stored at its target. What a reader sees is computed: a
// port without its device does not exist, a filter that names a missing chain
// is none (see see.go). A rule alone goes on to name a group that is gone. That is why an object with dependents is deleted in two
// steps, of which the first decides: it marks the object as deleted, which
// makes all that hangs on it invisible to every reader at once and makes every
// write that relied on the object fail. The second removes and clears what hung
// on it, in transactions of at most 100 operations that anyone can repeat, and
// the object last. An interface, a zone name or an ID becomes free with the
// second step, and a write that meets one in between does that step itself.
//
// The package knows no kernel, no HTTP and no Kubernetes. cmd/moat, sdn/server
// tests and the engine's tests may import it.
package topology
