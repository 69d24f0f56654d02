package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/lab"
)

// subject is what one cell of the matrix is about.
type subject struct {
	tenant string
	pod    *lab.Pod // nil: the tenant is deleted
}

// operation is a row of the matrix.
type operation struct {
	name string
	// ready makes what it is about, undisturbed.
	ready func(s *site) subject
	run   func(s *site, x subject, limit time.Duration) answer
	// effect is in what a client of etcd says for the operation's decisive step.
	effect func(x subject) string
	// holds requires what a success claims, while the fault is on.
	holds func(s *site, x subject, a answer)
	// ended does what a runtime does next, undisturbed, until nothing of the
	// subject is to be there.
	ended func(s *site, x subject, a answer)
}

func operations() []operation {
	return []operation{
		{"ADD of a new tenant's first pod", fresh, add, func(subject) string { return `"generation"` }, attached, goneAfterAdd},
		{"ADD", warm, add, container, attached, goneAfterAdd},
		{"DEL", living, del, freed, noClaim, goneAfterDel},
		{"CHECK", living, check, container, noClaim, goneAfterCheck},
		{"GC", living, collect, freed, noClaim, goneAfterGC},
		{"tenant delete", empty, deleteTenant, func(subject) string { return `"freedAt"` }, noClaim, goneAfterTenant},
	}
}

func fresh(s *site) subject {
	tenant := fmt.Sprintf("t%d", s.pods)
	return subject{tenant, s.pod(tenant)}
}

func warm(s *site) subject { return subject{"red", s.pod("red")} }

func living(s *site) subject {
	x := warm(s)
	s.add(x.pod)
	return x
}

func empty(s *site) subject {
	s.pods++
	x := subject{tenant: fmt.Sprintf("t%d", s.pods)}
	s.cli("tenant", "create", x.tenant)
	return x
}

func container(x subject) string { return x.pod.ID }
func freed(x subject) string     { return "/freed/" + x.tenant + "/" }

func add(s *site, x subject, limit time.Duration) answer { return s.call("ADD", x.pod, limit, form{}) }

func del(s *site, x subject, limit time.Duration) answer {
	return s.call("DEL", x.pod, limit, form{prev: true})
}

func check(s *site, x subject, limit time.Duration) answer {
	return s.call("CHECK", x.pod, limit, form{prev: true})
}

func collect(s *site, _ subject, limit time.Duration) answer {
	return s.call("GC", nil, limit, form{valid: []*lab.Pod{s.keep}})
}

// deleteTenant is an operator's command, who gives up at the limit.
func deleteTenant(s *site, x subject, limit time.Duration) answer {
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	begun := time.Now()
	out, err := s.daemon.CLI(ctx, "tenant", "delete", x.tenant)
	a := answer{out: []byte(out), took: time.Since(begun)}
	if err != nil {
		a.err = &cniconf.Error{Code: cniconf.CodeTryAgain, Msg: out + err.Error()}
	}
	return a
}

// noClaim is for what is looked at when the fault is over.
func noClaim(*site, subject, answer) {}

func attached(s *site, x subject, a answer) {
	s.adopt(x.pod, a)
	s.reaches(x.pod)
}

// goneAfterAdd is a runtime's way: after a failure DEL of that sandbox, and another
// one that must come to be; then the pod ends.
func goneAfterAdd(s *site, x subject, a answer) {
	if a.err != nil {
		s.deleted(x.pod, form{})
		again := s.sandbox(x.pod)
		s.adopt(again, s.until("ADD", again, form{}))
		x.pod = again
	}
	s.reaches(x.pod)
	require.Nil(s.t, s.until("CHECK", x.pod, form{prev: true}).err)
	s.deleted(x.pod, form{prev: true})
	if x.tenant != s.keep.Tenant {
		s.cli("tenant", "delete", x.tenant)
	}
}

func goneAfterDel(s *site, x subject, a answer) {
	if a.err == nil {
		s.deleted(x.pod, form{noNetns: true})
	} else {
		s.deleted(x.pod, form{prev: true})
	}
}

func goneAfterCheck(s *site, x subject, _ answer) {
	s.reaches(x.pod)
	s.until("CHECK", x.pod, form{prev: true})
	s.deleted(x.pod, form{prev: true})
}

func goneAfterGC(s *site, x subject, a answer) {
	if a.err != nil {
		s.until("GC", nil, form{valid: []*lab.Pod{s.keep}})
	}
	require.NoError(s.t, x.pod.Remove())
}

func goneAfterTenant(s *site, x subject, a answer) {
	if a.err != nil {
		require.Eventually(s.t, func() bool {
			_, err := s.daemon.CLI(s.t.Context(), "tenant", "delete", x.tenant)
			return err == nil
		}, 2*sweep, 100*time.Millisecond)
	}
}
