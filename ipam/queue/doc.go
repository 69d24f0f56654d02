// Package queue lets one call at a time work on a thing, such as an attachment, or so
// many at a time on things of one kind.
//
// A store that does not answer costs whoever asks it some seconds, so that calls
// in a queue would pay these one after the other, each of them later than any
// deadline that its caller had in mind. So a call that waited behind one without
// an answer is told the same with it. Nothing is decided here: what is queued for
// is the caller's.
//
// The package starts no goroutine and knows no store. It is for the ledger, for
// tenant and for the agent, whose calls wait for each other.
package queue
