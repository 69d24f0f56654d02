// Package effect is the seam through which everything passes that changes
// something outside the process: the kernel's links, addresses, routes, rules and
// sysctls, namespaces and their mounts, files, keys in etcd, objects behind a REST
// API. Each step says its kind and what it does; docs/effects.md lists them all,
// and a test keeps the list true and finds changes that pass by the seam.
//
// In a build with the tag crashpoints a test stands at the seam: it is told of
// each step before and after it, and has it go on, has it fail, has its outcome be
// lost, or kills the process there. It is told of what takes something back, too, and
// may have it left out. In other builds Do and Undo call their function and nothing
// more.
//
// It decides nothing, and imports nothing else of Moat. Every package may import
// it.
package effect
