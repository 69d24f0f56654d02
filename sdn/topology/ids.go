package topology

import (
	"iter"
	"slices"
)

// chunkSize is the number of IDs at which a chunk is halved.
const chunkSize = 512

// ids is an ordered set, kept in chunks so that one more of a hundred thousand
// does not move them all. The nil set is empty.
type ids struct {
	chunks [][]string // in order, none empty
	count  int
}

// find returns the chunk that holds an ID or would, its place there, and whether
// it does.
func (s *ids) find(id string) (chunk, at int, found bool) {
	chunk, found = slices.BinarySearchFunc(s.chunks, id, func(c []string, id string) int {
		switch {
		case c[len(c)-1] < id:
			return -1
		case c[0] > id:
			return 1
		}
		return 0
	})
	if !found {
		// Between two chunks it goes to the end of the former.
		if chunk = max(chunk-1, 0); len(s.chunks) == 0 || id < s.chunks[chunk][0] {
			return chunk, 0, false
		}
		return chunk, len(s.chunks[chunk]), false
	}
	at, found = slices.BinarySearch(s.chunks[chunk], id)
	return chunk, at, found
}

func (s *ids) add(id string) {
	chunk, at, found := s.find(id)
	switch {
	case found:
		return
	case len(s.chunks) == 0:
		s.chunks = [][]string{{id}}
	default:
		c := slices.Insert(s.chunks[chunk], at, id)
		s.chunks[chunk] = c
		if half := len(c) / 2; len(c) >= chunkSize {
			s.chunks[chunk] = c[:half:half]
			s.chunks = slices.Insert(s.chunks, chunk+1, slices.Clone(c[half:]))
		}
	}
	s.count++
}

func (s *ids) remove(id string) {
	chunk, at, found := s.find(id)
	if !found {
		return
	}
	s.count--
	if s.chunks[chunk] = slices.Delete(s.chunks[chunk], at, at+1); len(s.chunks[chunk]) == 0 {
		s.chunks = slices.Delete(s.chunks, chunk, chunk+1)
	}
}

func (s *ids) len() int {
	if s == nil {
		return 0
	}
	return s.count
}

// all goes through the IDs in order.
func (s *ids) all() iter.Seq[string] {
	return func(yield func(string) bool) {
		if s == nil {
			return
		}
		for _, c := range s.chunks {
			for _, id := range c {
				if !yield(id) {
					return
				}
			}
		}
	}
}
