package topology

import "context"

// store keeps facts. What it commits reaches the graph through the feed that
// it was opened with, in the order of revisions.
type store interface {
	// commit writes the facts in one transaction if every key still has the
	// revision that x relied on. It returns the revision that the graph must
	// reach to contain the write or, if ok is false, to see why it failed.
	commit(ctx context.Context, x *txn) (rev int64, ok bool, err error)
	// head returns the revision of the last write there is.
	head(ctx context.Context) (int64, error)
	// close stops the feed and waits for it.
	close() error
}

// feed takes in what was stored up to a revision.
type feed func(facts []fact, rev int64)
