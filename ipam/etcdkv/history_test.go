package etcdkv_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// opKind is what a worker did, and how it ended.
type opKind string

const (
	opBegin    opKind = "begin"    // a hold that is under way; what became of it may stay unknown
	opHeld     opKind = "held"     // Hold returned Addr, leased at Rev
	opEnding   opKind = "ending"   // a give-back of the lease that is under way; what became of it may stay unknown
	opFreed    opKind = "freed"    // GiveBack ended the lease of Addr at Rev
	opIdle     opKind = "idle"     // GiveBack found that it had ended
	opFull     opKind = "full"     // Hold said that nothing is left
	opLost     opKind = "lost"     // the answer did not come
	opFinished opKind = "finished" // the worker did all it was asked for
)

// op is one line of a worker's report. From and To are of one clock for all
// processes, in nanoseconds.
type op struct {
	Kind      opKind
	Container string
	Addr      string
	Rev       int64
	From, To  int64
	// Lease is the revision of the lease that is given back.
	Lease int64
}

// event is a change of an address key, as etcd ordered it; an empty Holder is
// its deletion.
type event struct {
	Rev    int64
	Addr   string
	Holder string
}

// check says whether the operations are linearizable as etcd ordered their
// effects: the effects are those of a pool that leases each address to one
// holder at a time, each operation that returned has the effect it returned, and
// none takes place before it was begun or after it had returned.
func check(ops []op, events []event) error {
	leased, freed, err := replay(events)
	if err != nil {
		return err
	}
	begun, ending := map[string]bool{}, map[change]bool{}
	var effects []op
	for _, o := range ops {
		at := change{o.Addr, o.Container, o.Rev}
		switch o.Kind {
		case opBegin:
			begun[o.Container] = true
		case opEnding:
			ending[change{o.Addr, o.Container, o.Lease}] = true
		case opHeld:
			if !leased[at] {
				return fmt.Errorf("%s was told that it holds %s since revision %d, which etcd does not know", o.Container, o.Addr, o.Rev)
			}
			effects = append(effects, o)
		case opFreed:
			if _, ok := freed[at]; !ok {
				return fmt.Errorf("%s was told that it gave %s back at revision %d, which etcd does not know", o.Container, o.Addr, o.Rev)
			}
			effects = append(effects, o)
		}
	}
	for at := range leased {
		if !begun[at.holder] {
			return fmt.Errorf("%s was leased to %s, who never asked", at.addr, at.holder)
		}
	}
	for at, lease := range freed {
		if !ending[change{at.addr, at.holder, lease}] {
			return fmt.Errorf("%s was taken from %s at revision %d, who did not give it back", at.addr, at.holder, at.rev)
		}
	}
	return inTime(effects)
}

// change is the beginning or the end of a lease. Who gave an address back and did
// not hear that it had worked may lease another, or the same again.
type change struct {
	addr, holder string
	rev          int64
}

// replay follows the events and returns the beginnings and ends of all leases;
// for an end also the revision of its beginning.
func replay(events []event) (leased map[change]bool, freed map[change]int64, err error) {
	leased, freed = map[change]bool{}, map[change]int64{}
	holder, holds, since := map[string]string{}, map[string]string{}, map[string]int64{}
	for _, e := range events {
		was := holder[e.Addr]
		switch {
		case e.Holder == "" && was == "":
			return nil, nil, fmt.Errorf("revision %d: %s is freed and was free", e.Rev, e.Addr)
		case e.Holder == "":
			freed[change{e.Addr, was, e.Rev}] = since[e.Addr]
			delete(holder, e.Addr)
			delete(holds, was)
		case was != "":
			return nil, nil, fmt.Errorf("revision %d: %s is leased to %s while %s holds it", e.Rev, e.Addr, e.Holder, was)
		case holds[e.Holder] != "":
			return nil, nil, fmt.Errorf("revision %d: %s gets %s and holds %s", e.Rev, e.Holder, e.Addr, holds[e.Holder])
		default:
			leased[change{e.Addr, e.Holder, e.Rev}] = true
			holder[e.Addr], holds[e.Holder], since[e.Addr] = e.Holder, e.Addr, e.Rev
		}
	}
	return leased, freed, nil
}

// inTime says whether the order of revisions agrees with that of time: what had
// returned before another began has the lower revision. A hold that found an
// older lease of its own took effect when that was made.
func inTime(effects []op) error {
	slices.SortStableFunc(effects, func(a, b op) int { return int(a.Rev - b.Rev) })
	latest := int64(math.MinInt64) // beginning of any with a lower revision
	for i, o := range effects {
		if i > 0 && effects[i-1].Rev == o.Rev {
			o.From = min(o.From, effects[i-1].From) // the first of them made it
			effects[i].From = o.From
		} else if o.To < latest {
			return fmt.Errorf("%s of %s by %s has revision %d, but had returned before something with a lower one was begun", o.Kind, o.Addr, o.Container, o.Rev)
		}
		latest = max(latest, o.From)
	}
	return nil
}

// rightHistory is one in which all is as it should be.
func rightHistory() ([]op, []event) {
	return []op{
		{Kind: opBegin, Container: "a", From: 1}, {Kind: opHeld, Container: "a", Addr: "1", Rev: 10, From: 1, To: 2},
		{Kind: opBegin, Container: "b", From: 1}, {Kind: opHeld, Container: "b", Addr: "2", Rev: 11, From: 1, To: 4},
		{Kind: opEnding, Container: "a", Addr: "1", Lease: 10, From: 5}, {Kind: opFreed, Container: "a", Addr: "1", Rev: 12, Lease: 10, From: 5, To: 6},
		{Kind: opBegin, Container: "c", From: 7}, {Kind: opHeld, Container: "c", Addr: "1", Rev: 13, From: 7, To: 8},
		{Kind: opBegin, Container: "d", From: 7}, {Kind: opLost, Container: "d", From: 7, To: 9},
	}, []event{{10, "1", "a"}, {11, "2", "b"}, {12, "1", ""}, {13, "1", "c"}, {14, "3", "d"}}
}

// TestTheCheckerRejects plants what must not be into a history that is right.
func TestTheCheckerRejects(t *testing.T) {
	ops, events := rightHistory()
	require.NoError(t, check(ops, events))
	require.NoError(t, check(ops, events[:4]), "what was lost may not have happened")
	for name, c := range map[string]struct {
		ops    []op
		events []event
		says   string
	}{
		"a double lease in etcd":      {ops, slices.Insert(slices.Clone(events), 2, event{11, "1", "d"}), "leased to d while a holds it"},
		"two leases of one container": {ops, append(slices.Clone(events), event{15, "4", "c"}), "c gets 4 and holds 1"},
		"a lease that is lost":        {ops, slices.Delete(slices.Clone(events), 1, 2), "b was told that it holds 2"},
		"a double answer":             {append(slices.Clone(ops), op{Kind: opHeld, Container: "d", Addr: "2", Rev: 11, From: 7, To: 9}), events, "d was told that it holds 2"},
		"a free that did nothing":     {ops, slices.Delete(slices.Clone(events), 2, 4), "was told that it gave 1 back"},
		"a lease that nobody asked":   {ops, append(slices.Clone(events), event{15, "5", "x"}), "never asked"},
		"a free that nobody asked":    {ops, append(slices.Clone(events), event{15, "2", ""}), "did not give it back"},
		"a free of the free":          {ops, append(slices.Clone(events), event{15, "5", ""}), "was free"},
		"effects out of time":         {append(slices.Clone(ops), op{Kind: opBegin, Container: "e", From: 1}, op{Kind: opHeld, Container: "e", Addr: "9", Rev: 20, From: 2, To: 3}), append(slices.Clone(events), event{20, "9", "e"}), "had returned before"},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorContains(t, check(c.ops, c.events), c.says) })
	}
}
