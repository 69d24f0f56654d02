// Package crash kills the daemon at every step that changes something outside it,
// and looks at what is left: the kill matrix, run by `make test-crash`.
//
// The programs are built with the tag crashpoints, so that they tell the gate here
// of each step before and after it (package sdn/effect). It is a test of the whole
// product and holds none of its code; nothing imports it.
package crash
