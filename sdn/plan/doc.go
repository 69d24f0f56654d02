// Package plan computes what the Linux kernel shall hold for a topology: the
// interfaces, addresses, routes and rules, fixed neighbours, sysctls and nftables
// tables of one network namespace, and what is answered there to DHCP clients. A
// plan prints as the ip, bridge, sysctl and nft lines that a network engineer
// would type.
//
// It is pure: it reads a view of the topology and its configuration, and
// touches neither kernel nor clock nor files. It imports sdn, sdn/filter and
// sdn/nft; sdn/dataplane, the server (for the checks) and cmd may
// import it.
package plan
