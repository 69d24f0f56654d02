// Package crash kills the daemon, and the plugins, at every step that changes
// something outside them, and looks at what is left: the kill matrix, run by `make
// test-crash`. That it would see what is left it shows by taking out every undo, one
// at a time: each makes a cell of the matrix fail.
//
// The programs are built with the tag crashpoints, so that they tell the gate here
// of each step before and after it, and of each undo (package sdn/effect). A thin
// plugin, which has no such steps, is killed by what it says to the daemon, at a relay
// between the two. It is a test of the whole product and holds none of its code but
// the names of the seam and the frames of the protocol; nothing imports it.
package crash
