// Package sdntest holds what tests of the SDN's users and makers share: an
// endpoint of the API on the loopback with faults to inject, and the one suite
// that every sdn.API must pass.
//
// Only tests import it.
package sdntest
