// Package dataplane makes the Linux kernel look like the topology: a network
// namespace for each router, its bridges, links, addresses, routes and nftables
// tables, and the uplink to the host. It observes, compares with the plan and
// writes the difference, for one namespace at a time, again and again.
//
// What a kernel has no notion of it does itself: it answers the DHCP clients of
// bridges, while it runs.
//
// It deletes nothing but what carries its installation's stamp, starts no
// program, and leaves the kernel as it is when it stops. All it reads and
// changes outside the process passes Kernel. cmd may import it; sdn/plan says
// what is wanted.
package dataplane
