package conformance

import (
	"testing"

	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/topology"
	"github.com/moatnet/moat/sdn/wire"
)

// Target is a server to be held to the dialect.
type Target struct {
	Name     string
	URL      string // base URL, as a client takes it
	User     string // an administrator
	Password string
	Project  string // may be empty
	Release  wire.Release
	// Own is what can be done beside HTTP to a server that runs in this
	// process; nil for any other, and cases that need it do not run there.
	Own *Own
}

// Own is a server that runs in the process of the test.
type Own struct {
	Topology *topology.Topology
	// Serve starts a further server until the test ends and returns its base
	// URL. API, Release and Auth of the target fill what the options leave out.
	Serve func(t testing.TB, o server.Options) string
}
