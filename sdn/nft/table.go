package nft

import (
	"fmt"
	"slices"
	"strings"
)

// Family is the protocol family of a table.
type Family string

// The families that Moat uses.
const (
	IP     Family = "ip"
	IP6    Family = "ip6"
	Bridge Family = "bridge"
)

// Table is a table with everything in it. Its name is unique in its family.
type Table struct {
	Family Family
	Name   string
	Flags  TableFlags
	Sets   []Set
	Chains []Chain
}

// TableFlags are the flags of a table. Moat sets none.
type TableFlags uint32

// Dormant is the flag of a table whose chains are not called.
const Dormant TableFlags = 1

// ChainType is the type of a base chain.
type ChainType string

// The types of base chain.
const (
	FilterChain ChainType = "filter"
	NATChain    ChainType = "nat"
)

// Hook is the place in the kernel at which a base chain is called.
type Hook string

// The hooks.
const (
	Prerouting  Hook = "prerouting"
	Input       Hook = "input"
	Forward     Hook = "forward"
	Output      Hook = "output"
	Postrouting Hook = "postrouting"
)

// Policy is what happens to a packet that leaves a base chain at its end.
type Policy string

// The policies.
const (
	PolicyAccept Policy = "accept"
	PolicyDrop   Policy = "drop"
)

// Base makes a chain a base chain. Lower priorities are called first.
type Base struct {
	Type     ChainType
	Hook     Hook
	Priority int32
	Policy   Policy
}

// Chain is a list of rules, called from a hook (Base) or from another chain.
type Chain struct {
	Name  string
	Base  *Base // nil: a regular chain
	Rules []Rule
}

// Rule is a list of statements: while each matches, the next is tried.
type Rule struct {
	Statements []Statement
	Comment    string // at most 128 bytes
}

// NewRule is a rule without a comment.
func NewRule(s ...Statement) Rule { return Rule{Statements: s} }

// WithComment returns the rule with a comment.
func (r Rule) WithComment(c string) Rule {
	r.Comment = c
	return r
}

// Set is a named set, or a map when Data is set.
type Set struct {
	Name     string
	Key      Type
	Data     Type // "": a set; TypeVerdict: a verdict map
	Elements []Element

	// Room makes a set that rules fill by themselves (Update), up to so many
	// elements. What it holds is no part of the model, and stays.
	Room uint32
}

// Element is a member of a set or an entry of a map.
type Element struct {
	Key     Value
	Data    Value   // maps whose data is no verdict
	Verdict Verdict // verdict maps
}

// Chain returns the chain of a name.
func (t Table) Chain(name string) (Chain, bool) {
	i := slices.IndexFunc(t.Chains, func(c Chain) bool { return c.Name == name })
	if i < 0 {
		return Chain{}, false
	}
	return t.Chains[i], true
}

// Set returns the set or map of a name.
func (t Table) Set(name string) (Set, bool) {
	i := slices.IndexFunc(t.Sets, func(s Set) bool { return s.Name == name })
	if i < 0 {
		return Set{}, false
	}
	return t.Sets[i], true
}

// Normal returns the table with base chains in the order in which the kernel
// calls them, then the regular chains, sets and elements by name, and with nil
// for every empty list. The receiver is not changed.
func (t Table) Normal() Table {
	t.Chains = nonEmpty(slices.Clone(t.Chains))
	slices.SortFunc(t.Chains, compareChains)
	for i := range t.Chains {
		t.Chains[i].Rules = nonEmpty(t.Chains[i].Rules)
	}
	t.Sets = nonEmpty(slices.Clone(t.Sets))
	slices.SortFunc(t.Sets, func(a, b Set) int { return strings.Compare(a.Name, b.Name) })
	for i := range t.Sets {
		es := nonEmpty(slices.Clone(t.Sets[i].Elements))
		slices.SortFunc(es, func(a, b Element) int { return strings.Compare(string(a.Key), string(b.Key)) })
		t.Sets[i].Elements = es
	}
	return t
}

func nonEmpty[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

func compareChains(a, b Chain) int {
	switch {
	case a.Base != nil && b.Base == nil:
		return -1
	case a.Base == nil && b.Base != nil:
		return 1
	case a.Base != nil && a.Base.Hook != b.Base.Hook:
		return hookOrder(a.Base.Hook) - hookOrder(b.Base.Hook)
	case a.Base != nil && a.Base.Priority != b.Base.Priority:
		return int(a.Base.Priority) - int(b.Base.Priority)
	}
	return strings.Compare(a.Name, b.Name)
}

func hookOrder(h Hook) int {
	return slices.Index([]Hook{Prerouting, Input, Forward, Output, Postrouting}, h)
}

// String prints the table as nft -f reads it.
func (t Table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table %s %s {\n", t.Family, t.Name)
	if t.Flags == Dormant {
		b.WriteString("\tflags dormant\n")
	} else if t.Flags != 0 {
		fmt.Fprintf(&b, "\tflags %#x\n", uint32(t.Flags))
	}
	for _, s := range t.Sets {
		writeSet(&b, s)
	}
	for _, c := range t.Chains {
		writeChain(&b, c)
	}
	b.WriteString("}\n")
	return b.String()
}

func writeSet(b *strings.Builder, s Set) {
	if s.Data == "" {
		fmt.Fprintf(b, "\tset %s {\n\t\ttype %s\n", s.Name, s.Key)
	} else {
		fmt.Fprintf(b, "\tmap %s {\n\t\ttype %s : %s\n", s.Name, s.Key, s.Data)
	}
	if s.Room > 0 {
		fmt.Fprintf(b, "\t\tsize %d\n\t\tflags dynamic,timeout\n", s.Room)
	}
	if len(s.Elements) > 0 {
		parts := make([]string, len(s.Elements))
		for i, e := range s.Elements {
			parts[i] = e.text(s)
		}
		fmt.Fprintf(b, "\t\telements = { %s }\n", strings.Join(parts, ",\n\t\t             "))
	}
	b.WriteString("\t}\n")
}

func (e Element) text(s Set) string {
	switch s.Data {
	case "":
		return e.Key.text(s.Key)
	case TypeVerdict:
		return e.Key.text(s.Key) + " : " + e.Verdict.String()
	}
	return e.Key.text(s.Key) + " : " + e.Data.text(s.Data)
}

func writeChain(b *strings.Builder, c Chain) {
	fmt.Fprintf(b, "\tchain %s {\n", c.Name)
	if c.Base != nil {
		fmt.Fprintf(b, "\t\ttype %s hook %s priority %d; policy %s;\n", c.Base.Type, c.Base.Hook, c.Base.Priority, c.Base.Policy)
	}
	for _, r := range c.Rules {
		fmt.Fprintf(b, "\t\t%s\n", r)
	}
	b.WriteString("\t}\n")
}

// String prints the rule on one line.
func (r Rule) String() string {
	parts := make([]string, len(r.Statements), len(r.Statements)+1)
	for i, s := range r.Statements {
		parts[i] = s.String()
	}
	if r.Comment != "" {
		parts = append(parts, fmt.Sprintf("comment %q", r.Comment))
	}
	return strings.Join(parts, " ")
}

// Print prints tables one after another.
func Print(tables []Table) string {
	var b strings.Builder
	for _, t := range tables {
		b.WriteString(t.String())
	}
	return b.String()
}
