package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// The stage: a host whose uplink leads to an outside. The outside knows a way
// to the pods through the host, so that what it cannot reach is filtered and
// not merely unrouted.
var (
	hostAddr    = netip.MustParsePrefix("192.0.2.10/24")
	outsideAddr = netip.MustParsePrefix("192.0.2.1/24")
	everywhere  = netip.MustParsePrefix("0.0.0.0/0")
	listen      = netip.MustParseAddrPort("127.0.0.1:8181")
)

// servicePort is where every pod, and the outside, serve TCP.
const servicePort = 8080

type stage struct {
	out           io.Writer
	lab           *lab.Lab
	host, outside *lab.Namespace
	daemon        *lab.Daemon
	rt            *lab.Runtime
	rest          *lab.REST
	bare          []string // the host's inventory before Moat
	red, blue     tenantInfo
	red1, red2    *lab.Pod
	blue1         *lab.Pod
}

// tenantInfo is what `moat tenant show -o json` says.
type tenantInfo struct {
	Name     string         `json:"name"`
	Subnets  []netip.Prefix `json:"subnets"`
	Transit  netip.Addr     `json:"transit"`
	InChain  string         `json:"inChain"`
	OutChain string         `json:"outChain"`
}

func newStage(ctx context.Context, l *lab.Lab, bin string, out io.Writer) (*stage, error) {
	s := &stage{out: out, lab: l}
	steps := []struct {
		what string
		do   func() error
	}{
		{"a host and an outside, each a network namespace", s.world},
		{"moat up", func() error { return s.up(ctx, bin) }},
		{"pods red/one, red/two and blue/one through moat-cni", func() error { return s.pods(ctx) }},
		{"a login to the REST API", func() error { return s.login(ctx) }},
	}
	for _, step := range steps {
		if err := s.step(step.what, step.do); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *stage) world() (err error) {
	if s.host, err = s.lab.Namespace("host"); err != nil {
		return err
	}
	if s.outside, err = s.lab.Namespace("outside"); err != nil {
		return err
	}
	err = s.lab.Cable(lab.End{In: s.host, Interface: "eth0", Address: hostAddr}, lab.End{In: s.outside, Interface: "eth0", Address: outsideAddr})
	if err != nil {
		return err
	}
	if err := s.host.Route(everywhere, outsideAddr.Addr()); err != nil {
		return err
	}
	if err := s.outside.Route(everywhere, hostAddr.Addr()); err != nil {
		return err
	}
	return s.lab.Serve(s.outside, servicePort)
}

func (s *stage) up(ctx context.Context, bin string) (err error) {
	s.daemon = &lab.Daemon{Bin: bin, Dir: s.lab.Dir, Host: s.host}
	if s.bare, err = s.daemon.Inventory(); err != nil {
		return err
	}
	s.lab.Defer(func() error { return s.abandon(ctx) })
	if err := s.daemon.Start(ctx); err != nil {
		return err
	}
	s.rt, err = s.daemon.Runtime()
	return err
}

// abandon removes what a demonstration that failed half-way left.
func (s *stage) abandon(ctx context.Context) error {
	if !s.daemon.Running() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	_, err := s.daemon.CLI(ctx, "down", "--yes")
	return errors.Join(err, s.daemon.Stop())
}

func (s *stage) pods(ctx context.Context) error {
	for _, p := range []struct {
		to           **lab.Pod
		tenant, name string
	}{{&s.red1, "red", "one"}, {&s.red2, "red", "two"}, {&s.blue1, "blue", "one"}} {
		pod, err := s.lab.NewPod(p.tenant, p.name)
		if err != nil {
			return err
		}
		if err := s.rt.Add(ctx, pod); err != nil {
			return fmt.Errorf("ADD %s/%s: %w", p.tenant, p.name, err)
		}
		if err := s.lab.Serve(pod.Namespace, servicePort); err != nil {
			return err
		}
		*p.to = pod
	}
	for name, to := range map[string]*tenantInfo{"red": &s.red, "blue": &s.blue} {
		text, err := s.daemon.CLI(ctx, "tenant", "show", name, "-o", "json")
		if err != nil {
			return fmt.Errorf("%w: %s", err, text)
		}
		if err := json.Unmarshal([]byte(text), to); err != nil {
			return fmt.Errorf("moat tenant show %s: %w", name, err)
		}
	}
	return nil
}

func (s *stage) login(ctx context.Context) (err error) {
	s.rest, err = s.daemon.REST(ctx, listen)
	return err
}

func (s *stage) topology(ctx context.Context) error {
	text, err := s.daemon.CLI(ctx, "topology", "red")
	fmt.Fprintf(s.out, "\nmoat topology red\n%s\n", text)
	return err
}

// remove takes everything down and looks for what is left.
func (s *stage) remove(ctx context.Context) error {
	err := s.step("DEL of every pod, then moat down", func() error {
		for _, pod := range []*lab.Pod{s.red1, s.red2, s.blue1} {
			if err := s.rt.Del(ctx, pod); err != nil {
				return err
			}
		}
		text, err := s.daemon.CLI(ctx, "down", "--yes")
		if err != nil {
			return fmt.Errorf("%w: %s", err, text)
		}
		return s.daemon.Wait()
	})
	if err != nil {
		return err
	}
	now, err := s.daemon.Inventory()
	if err != nil {
		return err
	}
	if left := lab.Beyond(s.bare, now); len(left) > 0 {
		return fmt.Errorf("left behind: %s", strings.Join(left, ", "))
	}
	if _, err := os.Stat(s.daemon.Socket()); err == nil {
		return fmt.Errorf("left behind: %s", s.daemon.Socket())
	}
	fmt.Fprintln(s.out, "nothing is left: no namespace, no interface, no route, no nftables table")
	return nil
}

func (s *stage) sabotage(how string) error {
	switch how {
	case "":
		return nil
	case "flush":
		return s.step("nftables flushed behind Moat's back", func() error { return lab.FlushTables(s.daemon) })
	case "cut":
		return s.step("veth of red/two cut behind Moat's back", func() error { return s.red2.CutLink("eth0") })
	}
	return fmt.Errorf("--sabotage %q is neither flush nor cut", how)
}
