package ledger

import (
	"context"

	"github.com/moatnet/moat/ipam"
)

// KV is an ordered key-value store with transactions, as etcd defines them.
// Commit returns ipam.ErrUnavailable, wrapped, when it cannot say whether the
// transaction took place.
type KV interface {
	Commit(ctx context.Context, t Txn) (Result, error)
}

// Txn does Then if all conditions hold, else Else.
type Txn struct {
	If   []Cond
	Then []Op
	Else []Op
}

// Target is what of a key a condition looks at.
type Target int

// The targets. Both revisions of a key that does not exist are 0.
const (
	ModRevision Target = iota
	NoNewer            // the revision of the last change, which is Want or before
	CreateRevision
	Value // which is Is; a key that does not exist has none
)

// Cond holds if what On says of a key, or of every key from Key to before End,
// equals Want.
type Cond struct {
	Key, End string
	On       Target
	Want     int64
	Is       string
}

// OpKind is what an operation does.
type OpKind int

// The operations.
const (
	OpGet OpKind = iota
	OpPut
	OpDelete
	OpTxn
	OpRide // of an ipam.Rider; a KV that is not etcd leaves it out
)

// Op is one operation. End, if set, makes a Get or Delete one of a range.
type Op struct {
	Kind     OpKind
	Key, End string
	Value    []byte
	Limit    int   // of a Get; 0: none
	Since    int64 // of a Get: only what was put at this revision or later; 0: all
	At       int64 // of a Get: as it was at this revision; 0: as it is
	Txn      Txn
	Rider    ipam.Rider
	Record   ipam.Record // that the rider goes with
}

// Pair is a key as stored.
type Pair struct {
	Key         string
	Value       []byte
	Create, Mod int64
}

// Result of a transaction: which branch ran, and what each of its operations
// brought, in order.
type Result struct {
	OK       bool
	Revision int64
	Out      []Out
}

// Out is what one operation brought: the pairs of a Get, the Result of a Txn.
type Out struct {
	Pairs []Pair
	Txn   *Result
}

func get(key string) Op               { return Op{Kind: OpGet, Key: key} }
func list(prefix string) Op           { return Op{Kind: OpGet, Key: prefix, End: after(prefix)} }
func put(key string, value []byte) Op { return Op{Kind: OpPut, Key: key, Value: value} }
func del(key string) Op               { return Op{Kind: OpDelete, Key: key} }
func delAll(prefix string) Op         { return Op{Kind: OpDelete, Key: prefix, End: after(prefix)} }
func absent(key string) Cond          { return Cond{Key: key, On: CreateRevision} }
func noneUnder(prefix string) Cond    { return Cond{Key: prefix, End: after(prefix), On: CreateRevision} }
func at(key string, mod int64) Cond   { return Cond{Key: key, On: ModRevision, Want: mod} }
func born(key string, rev int64) Cond { return Cond{Key: key, On: CreateRevision, Want: rev} }
func is(key, value string) Cond       { return Cond{Key: key, On: Value, Is: value} }

// unchangedUnder holds if nothing with prefix was put after a revision; what was
// deleted since does not matter.
func unchangedUnder(prefix string, rev int64) Cond {
	return Cond{Key: prefix, End: after(prefix), On: NoNewer, Want: rev}
}

// newerUnder asks for one of what was put with prefix after a revision.
func newerUnder(prefix string, rev int64) Op {
	return Op{Kind: OpGet, Key: prefix, End: after(prefix), Since: rev + 1, Limit: 1}
}

// only is a transaction in a transaction: ops, if a condition holds.
func only(c Cond, ops ...Op) Op {
	return Op{Kind: OpTxn, Txn: Txn{If: []Cond{c}, Then: ops}}
}

// after is the first key behind all that begin with prefix, which ends in '/'.
func after(prefix string) string { return prefix[:len(prefix)-1] + string(prefix[len(prefix)-1]+1) }

// one is the single pair of a Get of one key.
func (o Out) one() (Pair, bool) {
	if len(o.Pairs) == 0 {
		return Pair{}, false
	}
	return o.Pairs[0], true
}
