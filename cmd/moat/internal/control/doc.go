// Package control is how the CLI talks to the daemon: operations on tenants,
// the provider and the topology as JSON over HTTP on a unix socket that only
// root can open. The same operations run in process where the CLI is pointed
// straight at an endpoint and an etcd.
//
// It is no API for others; that is the REST API. cmd/moat alone imports it.
package control
