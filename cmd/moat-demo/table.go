package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"text/tabwriter"
	"time"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// quiet is how long a probe that must not pass is waited for, and settle how
// long a changed rule may take to act.
const (
	patience = 2 * time.Second
	quiet    = 300 * time.Millisecond
	settle   = time.Second
)

type probe func(within time.Duration) error

type row struct {
	what  string
	pass  bool // what must be seen
	probe probe
	// open is the rule, in a tenant's inbound chain, that lets a probe pass
	// which must not pass without it: the row's positive control.
	open  map[string]any
	chain string
}

func (s *stage) rows(ctx context.Context) []row {
	at := func(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, servicePort) }
	ping := func(from *lab.Namespace, to netip.Addr) probe {
		return func(within time.Duration) error { return lab.Ping(from, to, within) }
	}
	tcp := func(from *lab.Namespace, to netip.Addr, source netip.Addr) probe {
		return func(within time.Duration) error {
			seen, err := lab.Connect(ctx, from, at(to), within)
			if err == nil && seen != source {
				return fmt.Errorf("source seen is %s, not %s", seen, source)
			}
			return err
		}
	}
	red1, red2, blue1 := s.red1, s.red2, s.blue1
	fromRed := allow(s.red.Subnets[0])
	fromOutside := allow(outsideAddr.Masked())
	blue := s.blue.InChain
	return []row{
		{what: "red/one pings red/two", pass: true, probe: ping(red1.Namespace, red2.Address)},
		{what: "red/one connects to red/two", pass: true, probe: tcp(red1.Namespace, red2.Address, red1.Address)},
		{what: "red/one pings its own gateway", pass: true, probe: ping(red1.Namespace, red1.Gateway)},
		{what: "red/one pings blue/one", probe: ping(red1.Namespace, blue1.Address), open: fromRed, chain: blue},
		{what: "red/one connects to blue/one", probe: tcp(red1.Namespace, blue1.Address, red1.Address), open: fromRed, chain: blue},
		{what: "red/one pings blue's gateway", probe: ping(red1.Namespace, blue1.Gateway), open: fromRed, chain: blue},
		{what: "red/one pings blue's transit address", probe: ping(red1.Namespace, s.blue.Transit), open: fromRed, chain: blue},
		{what: "red/one pings the outside", pass: true, probe: ping(red1.Namespace, outsideAddr.Addr())},
		{what: "red/one connects to the outside, as the host", pass: true, probe: tcp(red1.Namespace, outsideAddr.Addr(), hostAddr.Addr())},
		{what: "the host pings blue/one", pass: true, probe: ping(s.host, blue1.Address)},
		{what: "the host connects to blue/one", pass: true, probe: func(within time.Duration) error {
			_, err := lab.Connect(ctx, s.host, at(blue1.Address), within)
			return err
		}},
		{what: "the outside pings blue/one", probe: ping(s.outside, blue1.Address), open: fromOutside, chain: blue},
		{what: "the outside connects to blue/one", probe: tcp(s.outside, blue1.Address, outsideAddr.Addr()), open: fromOutside, chain: blue},
	}
}

// allow is an accept rule, at the head of its chain, for a source.
func allow(source netip.Prefix) map[string]any {
	return map[string]any{"type": "accept", "position": 1, "nwSrcAddress": source.Addr(), "nwSrcLength": source.Bits()}
}

// table runs every row and prints it; it reports whether all were right.
func (s *stage) table(ctx context.Context) (bool, error) {
	fmt.Fprintln(s.out)
	w := tabwriter.NewWriter(s.out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROBE\tMUST\tDOES\tWITH A RULE\tRULE REMOVED\t")
	green := true
	for _, r := range s.rows(ctx) {
		line, ok, err := s.run(ctx, r)
		if err != nil {
			return false, fmt.Errorf("%s: %w", r.what, err)
		}
		verdict := "ok"
		if !ok {
			verdict, green = "RED", false
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.what, line, verdict)
	}
	return green, w.Flush()
}

func (s *stage) run(ctx context.Context, r row) (line string, ok bool, err error) {
	if r.pass {
		err := r.probe(patience)
		return fmt.Sprintf("pass\t%s\t\t", seen(err)), err == nil, nil
	}
	before := r.probe(quiet)
	ok = errors.Is(before, lab.ErrNoAnswer)
	rule, err := s.rest.Post(ctx, "/chains/"+r.chain+"/rules", "Rule-v2", r.open)
	if err != nil {
		return "", false, err
	}
	with := within(settle, func() error { return r.probe(quiet) }, func(err error) bool { return err == nil })
	ok = ok && with == nil
	if err := s.rest.Delete(ctx, rule); err != nil {
		return "", false, err
	}
	after := within(settle, func() error { return r.probe(quiet) }, func(err error) bool { return errors.Is(err, lab.ErrNoAnswer) })
	ok = ok && errors.Is(after, lab.ErrNoAnswer)
	return fmt.Sprintf("not pass\t%s\t%s\t%s", seen(before), seen(with), seen(after)), ok, nil
}

// within repeats a probe until its outcome is the wanted one or time is up, and
// returns the last outcome.
func within(limit time.Duration, probe func() error, wanted func(error) bool) error {
	deadline := time.Now().Add(limit)
	for {
		err := probe()
		if wanted(err) || time.Now().After(deadline) {
			return err
		}
	}
}

func seen(err error) string {
	switch {
	case err == nil:
		return "passes"
	case errors.Is(err, lab.ErrNoAnswer):
		return "no answer"
	}
	return err.Error()
}
