package delegate

import (
	"strings"

	"github.com/moatnet/moat/cmd/internal/cniconf"
)

// prefix begins the names of all variables that the specification knows.
const prefix = "CNI_"

// environment is environ without its CNI_ variables, and with those of e that
// have a value.
func environment(environ []string, e cniconf.Env) []string {
	all := make([]string, 0, len(environ)+7)
	for _, pair := range environ {
		if !strings.HasPrefix(pair, prefix) {
			all = append(all, pair)
		}
	}
	return append(all, e.Pairs()...)
}
