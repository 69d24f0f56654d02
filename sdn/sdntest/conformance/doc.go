// Package conformance holds a server to the MidoNet dialect line by line: each
// case says which lines of docs/midonet-cells.tsv it proves, speaks HTTP alone
// and may be run against any server, a real MidoNet too.
//
// It knows no server's insides and changes nothing that it did not make. Only
// tests import it.
package conformance
