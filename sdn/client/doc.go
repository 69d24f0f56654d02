// Package client is an sdn.API over the MidoNet REST dialect: it serves
// against Moat's own server and against any compatible endpoint.
//
// It remembers nothing of the topology and caches no answer. cmd/moat, the
// node agent's wiring and tests import it; package tenant knows it only as an
// sdn.API.
package client
