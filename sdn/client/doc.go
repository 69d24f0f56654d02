// Package client is an sdn.API over the MidoNet REST dialect, of 5.x and
// of 1.9: it serves against Moat's own server and against any compatible
// endpoint.
//
// It caches no answer. Of endpoints it remembers the token, the release and
// whether they answer; of devices, whether they are routers or bridges, which
// never changes. cmd/moat, the node agent's wiring and tests import it; package
// tenant knows it only as an sdn.API.
package client
