package effect

// Kind is what a step changes.
type Kind string

// The kinds of steps.
const (
	Rtnetlink Kind = "rtnetlink" // links, addresses, routes, rules, neighbours: rtnetlink(7)
	Nftables  Kind = "nftables"  // a transaction of nfnetlink's nftables subsystem
	Sysctl    Kind = "sysctl"    // a file below /proc/sys
	Namespace Kind = "namespace" // a pinned network namespace, or the mount it is pinned in
	Frame     Kind = "frame"     // a frame on the wire
	File      Kind = "file"      // a file or directory
	Etcd      Kind = "etcd"      // a request to etcd that may write
	REST      Kind = "rest"      // a request to a REST API that may write
	Plugin    Kind = "plugin"    // a run of a CNI plugin of others
)

// GateVar names the environment variable with the path of the unix socket on which
// a test is told of every step; without it, or in a build without
// the tag crashpoints, steps just run.
const GateVar = "MOAT_CRASHPOINTS"

// What the test answers, one byte to each line that it is sent.
const (
	GoOn    = 'g'
	Fail    = 'f' // before a step: it is not done, and fails; after it: its outcome is lost
	Pretend = 'p' // of an undo: it is not done, and said to be done
)

// Undoing begins the line of an undo; what is taken back follows.
const Undoing = "undo"
