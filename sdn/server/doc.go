// Package server serves a topology over the MidoNet REST dialect: an
// http.Handler over an sdn.API.
//
// It keeps nothing but login tokens and decides nothing about the topology; it
// never touches the kernel or a store. cmd/moat and tests import it.
package server
