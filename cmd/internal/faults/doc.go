// Package faults has what Moat depends on go wrong under every operation, and looks
// at what the calls claim and at what is left: the fault matrix, whose whole is run
// by `make test-crash` and a part by `make test`.
//
// etcd is one server behind a proxy that harms the connections, or a cluster of three
// members that are killed, stopped, cut off from each other, slow or full; or the
// daemon's own, whose disk is full. The daemons are the real programs; calls are made
// by the code of the plugins with a time limit of the test's. It is a test of the
// whole product and holds none of its code; nothing imports it.
package faults
