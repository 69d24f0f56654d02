// Package filter translates the filter chains of a router or a bridge, and what
// every router's namespace must drop anyway, into nftables. It is a pure
// function from a topology to tables; docs/engine.md shows what comes out.
//
// It never translates a part of a rule: what nftables cannot express is an
// error that wraps sdn.ErrUnsupported and names the rule and the field. It
// reads no kernel and writes none. It imports sdn and sdn/nft; the server
// (Check) and the engine's plan (Router, Bridge) import it.
package filter
