package topology

import (
	"testing"
)

func TestMemory(t *testing.T) {
	suite(t, func(_ *testing.T, o Options) *Topology { return NewMemory(o) })
}
