package topology

import "context"

// store keeps facts. What it commits reaches its sink, in the order of
// revisions; commit and head need not wait for that.
type store interface {
	// commit writes the facts in one transaction if every key still has the
	// revision that x relied on. It returns the revision that the graph must
	// reach to contain the write or, if ok is false, to see why it failed.
	commit(ctx context.Context, x *txn) (rev int64, ok bool, err error)
	// head returns the revision of the last write there is.
	head(ctx context.Context) (int64, error)
	// all returns everything that is stored, and the revision of the last write.
	// Bodies are left out where the store keeps none.
	all() ([]fact, int64, error)
	// close stops the feed of the sink and waits for it.
	close()
}

// sink takes in what is stored.
type sink interface {
	// take takes in the facts that were written up to a revision.
	take(facts []fact, rev int64)
	// takeOwn takes in what this process wrote at a revision, unless the sink
	// lacks something written up to the revision before, which was the last.
	takeOwn(facts []fact, rev, before int64)
	// has says whether everything up to a revision was taken in.
	has(rev int64) bool
	// takeAll takes in all facts that there are at a revision.
	takeAll(facts []fact, rev int64)
	// fail reports that there will be no more.
	fail(err error)
}
