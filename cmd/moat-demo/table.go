package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
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
	// open are the rules that let a probe pass which must not pass without them:
	// the row's positive control.
	open []rule
}

// rule is an accept rule at the head of a chain.
type rule struct {
	chain string
	match map[string]any
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
	// Two tenants talk when both chains say so: that of the one which begins, and
	// that of the other.
	into := []rule{
		{s.red.OutChain, to(s.blue.Subnets[0])}, {s.red.OutChain, to(netip.PrefixFrom(s.blue.Transit, 32))},
		{s.blue.InChain, from(s.red.Subnets[0])},
	}
	fromOutside := []rule{{s.blue.InChain, from(outsideAddr.Masked())}}
	return []row{
		{what: "red/one pings red/two", pass: true, probe: ping(red1.Namespace, red2.Address)},
		{what: "red/one connects to red/two", pass: true, probe: tcp(red1.Namespace, red2.Address, red1.Address)},
		{what: "red/one pings its own gateway", pass: true, probe: ping(red1.Namespace, red1.Gateway)},
		{what: "red/one pings blue/one", probe: ping(red1.Namespace, blue1.Address), open: into},
		{what: "red/one connects to blue/one", probe: tcp(red1.Namespace, blue1.Address, red1.Address), open: into},
		{what: "red/one pings blue's gateway", probe: ping(red1.Namespace, blue1.Gateway), open: into},
		{what: "red/one pings blue's transit address", probe: ping(red1.Namespace, s.blue.Transit), open: into},
		{what: "red/one pings the outside", pass: true, probe: ping(red1.Namespace, outsideAddr.Addr())},
		{what: "red/one connects to the outside, as the host", pass: true, probe: tcp(red1.Namespace, outsideAddr.Addr(), hostAddr.Addr())},
		{what: "the host pings blue/one", pass: true, probe: ping(s.host, blue1.Address)},
		{what: "the host connects to blue/one", pass: true, probe: func(within time.Duration) error {
			_, err := lab.Connect(ctx, s.host, at(blue1.Address), within)
			return err
		}},
		{what: "the outside pings blue/one", probe: ping(s.outside, blue1.Address), open: fromOutside},
		{what: "the outside connects to blue/one", probe: tcp(s.outside, blue1.Address, outsideAddr.Addr()), open: fromOutside},
	}
}

func from(source netip.Prefix) map[string]any {
	return map[string]any{"type": "accept", "position": 1, "nwSrcAddress": source.Addr(), "nwSrcLength": source.Bits()}
}

func to(destination netip.Prefix) map[string]any {
	return map[string]any{"type": "accept", "position": 1, "nwDstAddress": destination.Addr(), "nwDstLength": destination.Bits()}
}

// columns of the table; each row is printed as soon as it is known.
const columns = "%-46s %-9s %-10s %-11s %-14s %s\n"

// table runs every row and prints it; it reports whether all were right.
func (s *stage) table(ctx context.Context) (bool, error) {
	fmt.Fprintln(s.out)
	fmt.Fprintf(s.out, columns, "PROBE", "MUST", "DOES", "WITH RULES", "RULES REMOVED", "")
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
		fmt.Fprintf(s.out, columns, r.what, line[0], line[1], line[2], line[3], verdict)
	}
	return green, nil
}

func (s *stage) run(ctx context.Context, r row) (line [4]string, ok bool, err error) {
	if r.pass {
		err := r.probe(patience)
		return [4]string{"pass", seen(err)}, err == nil, nil
	}
	before := r.probe(quiet)
	ok = errors.Is(before, lab.ErrNoAnswer)
	undo, err := s.open(ctx, r.open)
	if err != nil {
		return line, false, err
	}
	with := within(settle, r.probe, func(err error) bool { return err == nil })
	ok = ok && with == nil
	if err := undo(); err != nil {
		return line, false, err
	}
	after := within(settle, r.probe, func(err error) bool { return errors.Is(err, lab.ErrNoAnswer) })
	ok = ok && errors.Is(after, lab.ErrNoAnswer)
	return [4]string{"not pass", seen(before), seen(with), seen(after)}, ok, nil
}

// open adds rules through the REST API; what it returns removes them.
func (s *stage) open(ctx context.Context, rules []rule) (undo func() error, err error) {
	var made []string
	for _, r := range rules {
		uri, err := s.rest.Post(ctx, "/chains/"+r.chain+"/rules", "Rule-v2", r.match)
		if err != nil {
			return nil, err
		}
		made = append(made, uri)
	}
	return func() error {
		var errs []error
		for _, uri := range made {
			errs = append(errs, s.rest.Delete(ctx, uri))
		}
		return errors.Join(errs...)
	}, nil
}

// within repeats a probe until its outcome is the wanted one or time is up, and
// returns the last outcome.
func within(limit time.Duration, probe probe, wanted func(error) bool) error {
	deadline := time.Now().Add(limit)
	for {
		err := probe(min(quiet, time.Until(deadline)))
		if wanted(err) || time.Until(deadline) < quiet/10 {
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
