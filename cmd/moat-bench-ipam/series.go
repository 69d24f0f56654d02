package main

import (
	"fmt"
	"slices"
	"time"
)

// series holds what calls of one kind took.
type series struct {
	walls  []time.Duration
	counts []float64
}

func (s *series) add(wall time.Duration, count float64) {
	s.walls, s.counts = append(s.walls, wall), append(s.counts, count)
}

// wall is the p-th percentile, nearest rank.
func (s *series) wall(p int) time.Duration { return rank(s.walls, p) }

func (s *series) count(p int) float64 { return rank(s.counts, p) }

func rank[T time.Duration | float64](values []T, p int) T {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max((len(sorted)*p+99)/100, 1)-1]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }
