// Package forgery makes the frames with which a machine on a bridge can pretend
// to be another, and those that it needs to be itself: what a port with senders
// drops, and what it lets in.
//
// It is for tests, knows nothing of nftables, and sends nothing.
package forgery
