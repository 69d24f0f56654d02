// Package socket takes the unix sockets that daemons are called at, and serves
// HTTP on a listener until a context ends. It knows no protocol of Moat's.
//
// cmd/moat alone imports it.
package socket
