// Package embedetcd runs an etcd server of one member inside the process, on a
// unix socket in its data directory, so that it never meets a cluster's own
// etcd. Data is on disk and every write is synced. The server keeps its database
// small by itself, and takes writes again by itself when it was full and has room.
//
// It knows nothing of what is stored in it. cmd/moat and tests may import it.
package embedetcd
