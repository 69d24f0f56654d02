package filter

import (
	"slices"

	"github.com/moatnet/moat/sdn/nft"
)

// formula is a condition in disjunctive form: it holds when all matches of one
// of its terms hold. No term: never; an empty term: always.
type formula [][]nft.Match

func always() formula { return formula{{}} }
func never() formula  { return nil }

func constant(b bool) formula {
	if b {
		return always()
	}
	return never()
}

// literal is a formula with its negation, which cannot always be derived: a
// packet that connection tracking does not know matches neither
// `ct direction reply` nor `ct direction != reply`.
type literal struct{ yes, no formula }

func (l literal) inverted(inv bool) literal {
	if inv {
		return literal{yes: l.no, no: l.yes}
	}
	return l
}

// one is a literal of a single match that is true or false of every packet.
func one(m nft.Match) literal {
	n := m
	n.Not = !n.Not
	return literal{yes: formula{{m}}, no: formula{{n}}}
}

func and(a, b formula) formula {
	var out formula
	for _, x := range a {
		for _, y := range b {
			if term, ok := simplify(append(slices.Clone(x), y...)); ok {
				out = append(out, term)
			}
		}
	}
	return out
}

func or(a, b formula) formula { return append(slices.Clone(a), b...) }

// both is the literal for "x and y".
func both(x, y literal) literal {
	return literal{yes: and(x.yes, y.yes), no: or(x.no, and(x.yes, y.no))}
}

// either is the literal for "x or y".
func either(x, y literal) literal {
	return literal{yes: or(x.yes, and(x.no, y.yes)), no: and(x.no, y.no)}
}

// simplify drops what a term says twice, and reports false for a term that
// contradicts itself.
func simplify(term []nft.Match) ([]nft.Match, bool) {
	known := map[nft.Field]nft.Value{}
	for _, m := range term {
		if !m.Not && exact(m) {
			if v, ok := known[m.Field]; ok && v != m.Value {
				return nil, false
			}
			known[m.Field] = m.Value
		}
	}
	var out []nft.Match
	for _, m := range term {
		v, ok := known[m.Field]
		switch {
		case ok && exact(m) && m.Not && v == m.Value:
			return nil, false
		case ok && exact(m) && m.Not, slices.Contains(out, m):
			continue
		}
		out = append(out, m)
	}
	return out, true
}

// exact reports whether the match compares the whole field with one value.
func exact(m nft.Match) bool {
	return m.Mask == "" && m.To == "" && m.Set == "" && !m.Field.Flags()
}
