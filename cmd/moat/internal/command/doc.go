// Package command is the command line of moat: it parses flags, calls the
// daemon or the node in process, and prints answers. It holds no logic of
// networks. cmd/moat alone imports it.
package command
