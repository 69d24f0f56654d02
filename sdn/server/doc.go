// Package server serves a topology over the MidoNet REST dialect: an
// http.Handler over an sdn.API.
//
// It keeps nothing and decides nothing about the topology, nor about who may do
// what (sdn/access) and who is who (sdn/auth); it never touches the kernel or a
// store. cmd/moat and tests import it.
package server
