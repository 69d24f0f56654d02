// Package node puts the parts together: it opens the store, starts the SDN
// server, the engine and the agent, each as a task, and ends them in the
// opposite order. It decides nothing about networks; each part does.
//
// cmd/moat alone imports it.
package node
