// Package plan computes what the Linux kernel shall hold for a topology: the
// interfaces, addresses, routes, sysctls and nftables tables of one network
// namespace. A plan prints as the ip, sysctl and nft lines that a network
// engineer would type.
//
// It is pure: it reads a view of the topology and its configuration, and
// touches neither kernel nor clock nor files. It imports sdn, sdn/filter and
// sdn/nft; sdn/dataplane, the server (for CheckRoute and CheckPort) and cmd may
// import it.
package plan
