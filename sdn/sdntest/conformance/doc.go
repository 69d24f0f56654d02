// Package conformance holds a server to the MidoNet dialect line by line: each
// case says which lines of docs/midonet-cells.tsv it proves, speaks HTTP alone
// and may be run against any server, a real MidoNet too.
//
// Its own test runs it on the endpoints of sdntest, on a server over etcd and on
// the server that the environment names by MOAT_SDN_URL (the base URL),
// MOAT_SDN_USER, MOAT_SDN_PASSWORD, MOAT_SDN_PROJECT and MOAT_SDN_RELEASE (the
// version that the server reports, such as v1.9; empty is 5.x):
//
//	MOAT_SDN_URL=http://192.0.2.1:8181/midonet-api MOAT_SDN_USER=admin \
//	MOAT_SDN_PASSWORD=... go test ./sdn/sdntest/conformance -run TestDialect/environment
//
// It knows no server's insides and changes nothing that it did not make. Only
// tests import it.
package conformance
