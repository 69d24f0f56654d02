package etcdkv_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

const (
	// porcupineAddresses is of how many addresses the whole history is searched.
	porcupineAddresses = 32
	porcupinePatience  = 5 * time.Minute
)

// step is an operation on one address. A lease is known by its revision.
type step struct {
	addr  string
	kind  opKind // opHeld, opFreed or opIdle
	lease int64
	to    int64 // when it had returned
}

// cell is the state of an address: the lease that holds it, 0 for none, and the
// latest there was.
type cell struct{ lease, latest int64 }

// lostEnds are the leases of which an end was begun whose answer was lost, and
// when that was: such a lease may end by itself at any time from then on.
type lostEnds map[int64]int64

// model is what an address does when one thing happens after the other. It knows
// nothing of etcd: revisions are names of leases here, given one after the other.
func (ends lostEnds) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return cell{} },
		Step: func(state, input, _ any) (bool, any) {
			c, s := state.(cell), input.(step)
			begun, lost := ends[c.lease]
			over := c.lease == 0 || lost && begun <= s.to
			switch {
			case s.kind == opHeld && c.lease == s.lease: // it is there already
				return true, c
			case s.kind == opHeld:
				return over && s.lease > c.latest, cell{s.lease, s.lease}
			case s.kind == opFreed:
				return c.lease == s.lease, cell{0, c.latest}
			case c.lease == s.lease: // idle, so it must be over
				return over, cell{0, c.latest}
			default:
				return true, c
			}
		},
		DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
	}
}

// checkPorcupine searches, for each of the first addresses, an order of the
// operations that agrees with the answers and with time, whatever order etcd
// gives. Of a hold whose answer was lost the events say which address it got, if
// any; it took place between its beginning and that of its first end.
func checkPorcupine(ops []op, events []event, addresses int) error {
	answered, begun, told := map[change]bool{}, map[string]int64{}, map[int64]bool{}
	firstEnd, ends := map[int64]int64{}, lostEnds{}
	histories := map[string][]porcupine.Operation{}
	add := func(s step, from int64) {
		histories[s.addr] = append(histories[s.addr], porcupine.Operation{Input: s, Call: from, Return: s.to})
	}
	for _, o := range ops {
		switch o.Kind {
		case opBegin:
			earliest(begun, o.Container, o.From)
		case opEnding:
			earliest(firstEnd, o.Lease, o.From)
		case opHeld:
			told[o.Rev] = true
			add(step{o.Addr, opHeld, o.Rev, o.To}, o.From)
		case opFreed, opIdle:
			answered[change{o.Addr, o.Container, o.From}] = true
			add(step{o.Addr, o.Kind, o.Lease, o.To}, o.From)
		}
	}
	for _, o := range ops {
		if o.Kind == opEnding && !answered[change{o.Addr, o.Container, o.From}] {
			earliest(ends, o.Lease, o.From)
		}
	}
	for _, e := range events {
		if e.Holder != "" && !told[e.Rev] {
			to, ended := firstEnd[e.Rev]
			if !ended {
				to = math.MaxInt64
			}
			add(step{e.Addr, opHeld, e.Rev, to}, begun[e.Holder])
		}
	}
	return linearizable(histories, ends, addresses)
}

// earliest keeps the smallest value of a key.
func earliest[K comparable, M ~map[K]int64](m M, k K, at int64) {
	if have, ok := m[k]; !ok || at < have {
		m[k] = at
	}
}

func linearizable(histories map[string][]porcupine.Operation, ends lostEnds, addresses int) error {
	all := make([]string, 0, len(histories))
	for addr := range histories {
		all = append(all, addr)
	}
	slices.Sort(all)
	for _, addr := range all[:min(addresses, len(all))] {
		if got := porcupine.CheckOperationsTimeout(ends.model(), histories[addr], porcupinePatience); got != porcupine.Ok {
			return fmt.Errorf("the %d operations on %s: %s", len(histories[addr]), addr, got)
		}
	}
	return nil
}

// TestPorcupineRejects plants what must not be into a history that is right.
func TestPorcupineRejects(t *testing.T) {
	ops, events := rightHistory()
	require.NoError(t, checkPorcupine(ops, events, 9))
	require.NoError(t, checkPorcupine(ops, events[:4], 9), "what was lost may not have happened")
	lost := slices.Clone(ops)
	lost[5].Kind = opLost
	require.NoError(t, checkPorcupine(lost, events, 9), "a give-back whose answer was lost has taken place")
	kept := append(slices.Clone(lost[:6]), op{Kind: opHeld, Container: "a", Addr: "1", Rev: 10, From: 10, To: 11})
	require.NoError(t, checkPorcupine(kept, events[:2], 9), "or not")

	for name, planted := range map[string][]op{
		"a double lease":           append(slices.Clone(ops), op{Kind: opHeld, Container: "e", Addr: "2", Rev: 15, From: 5, To: 6}),
		"a lease that is lost":     append(slices.Clone(ops[:4]), ops[6:]...), // 1 is a's, and then c's
		"an answer from the past":  append(slices.Clone(ops), op{Kind: opHeld, Container: "a", Addr: "1", Rev: 10, From: 9, To: 10}),
		"a free that did nothing":  append(slices.Clone(ops), op{Kind: opHeld, Container: "b", Addr: "2", Rev: 11, From: 9, To: 10}, op{Kind: opFreed, Container: "b", Addr: "2", Lease: 11, From: 5, To: 6}),
		"an idle one of what held": append(slices.Clone(ops), op{Kind: opIdle, Container: "b", Addr: "2", Lease: 11, From: 5, To: 6}),
		"a free before its lease":  append(slices.Clone(ops), op{Kind: opFreed, Container: "c", Addr: "1", Lease: 13, From: 3, To: 4}),
	} {
		t.Run(name, func(t *testing.T) { require.ErrorContains(t, checkPorcupine(planted, events, 9), "Illegal") })
	}
}
