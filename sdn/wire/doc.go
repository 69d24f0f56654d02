// Package wire is the MidoNet REST dialect on paper: the JSON of each resource
// with its exact property names, the media types, the URIs, and how they and
// the HTTP statuses translate to the nouns and errors of package sdn and back.
// The client and the server share it, so that they cannot drift apart.
//
// It does no I/O and knows no store. Only sdn/client, sdn/server and their
// tests import it.
package wire
