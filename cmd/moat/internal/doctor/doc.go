// Package doctor looks for what is wrong with an installation, as seen from one of
// its nodes: daemon, store, SDN, kernel, files of the node, pods. Each finding says
// what comes of it and what repairs it.
//
// It repairs nothing, and leaves nothing behind of what it tries. What it cannot look
// at it names. cmd/moat imports it.
package doctor
