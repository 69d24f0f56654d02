// Package netsource asks an HTTP service which networks, addresses and interfaces
// a pod gets, and turns its answer into the steps that make them. The answer is
// the JSON of Dockin's getPodMultiNetwork; the README lists its keys and Moat's
// own.
//
// It sends GET requests and reads the folder of networks; it runs no plugin,
// changes nothing anywhere and never falls back to another answer. cmd/moat
// alone imports it.
package netsource
