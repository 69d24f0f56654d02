// Package dhcp answers DHCP clients of a bridge (RFC 2131): frames in, frames
// out. Who gets which address stands in the topology, so that an answer depends
// on the request alone, nothing is remembered, and a restart is not noticed.
//
// Only clients that the topology names get an answer. A relayed message, a
// DHCPINFORM, DHCPRELEASE or DHCPDECLINE, and one to another server get none.
//
// Messages are read and written here: only the fixed fields and some options
// matter, and every byte comes from tenants.
//
// It opens no socket and keeps no time. It imports sdn; sdn/dataplane, which
// carries the frames, and cmd (for CheckHost) may import it.
package dhcp
