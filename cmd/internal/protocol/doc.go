// Package protocol is what the thin plugins and the daemon say to each other
// over the daemon's unix socket.
//
// A connection carries one call. Every frame is a header of 12 bytes, then JSON:
//
//	0  4 bytes  "MOAT"
//	4  1 byte   version of the protocol
//	5  1 byte   kind: request, result, failure, received, run, ran
//	6  2 bytes  zero
//	8  4 bytes  length of what follows, big endian
//
// The header is the same in all versions to come, so that both sides can always
// say which version the other one speaks. The client sends a Request, with the
// pod's network namespace as an SCM_RIGHTS message of its first byte; the daemon
// answers with a result (what the plugin prints, which may be nothing) or a
// failure (a CNI error object); the client, having printed it, sends received.
// A connection that closes before that tells the daemon that the runtime never
// saw the result.
//
// Before it answers, the daemon may have the client run other plugins (run), which
// only the client can: it has the runtime's environment, files and CNI_PATH. The
// client answers each with ran, in order. Whatever the daemon sends while a plugin
// runs, and the end of the connection, ends that plugin.
//
// The package works on file descriptors and links neither net nor netlink. The
// programs under cmd may import it.
package protocol
