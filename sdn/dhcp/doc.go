// Package dhcp answers DHCP clients of a bridge (RFC 2131): frames in, frames
// out. Who gets which address stands in the topology, so that an answer depends
// on the request alone, nothing is remembered, and a restart is not noticed.
//
// Only clients that the topology names get an answer. A relayed message, a
// DHCPINFORM, DHCPRELEASE or DHCPDECLINE, and one to another server get none.
//
// Every byte of a request comes from a tenant: what is no message to the library
// that reads them is ignored, and an answer is never longer than the client takes.
//
// It opens no socket and keeps no time. It imports sdn; sdn/dataplane, which
// carries the frames, and cmd (for CheckHost) may import it.
package dhcp
