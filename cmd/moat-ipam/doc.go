// Moat-ipam is Moat's address management as an IPAM plugin for other main
// plugins (macvlan, ipvlan, bridge). It passes the call to the daemon (moat up)
// and prints the answer.
package main
