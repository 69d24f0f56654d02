package filter

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// TablePrefix begins the names of all nftables tables of an installation.
func TablePrefix(installation string) string { return "moat/" + installation + "/" }

// short is as much of an ID as goes into the names of chains and sets.
func short[T ~string](id T) string {
	s := strings.ReplaceAll(string(id), "-", "")
	return s[:min(len(s), 11)]
}

func hash(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}

// The packet mark: one bit each for what happened on arrival, the rest names
// the NAT rule that the packet met.
const (
	markFragmented uint32 = 1 << 31 // arrived as fragments, put together since
	markGenerated  uint32 = 1 << 30 // made by the router itself
	markFlags             = markFragmented | markGenerated
	markRule              = ^markFlags
)

// unsupported is the error for a field of a rule that cannot be expressed.
func unsupported(r sdn.Rule, field, why string) error {
	return fmt.Errorf("rule %s: field %s: %s: %w", r.ID, field, why, sdn.ErrUnsupported)
}
