package dataplane

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/moatnet/moat/sdn/effect"
	"github.com/moatnet/moat/sdn/plan"
)

const procSys = "/proc/sys/"

// readSysctls reads the settings of the calling thread's namespace.
func readSysctls(keys []string) (map[string]string, error) {
	out := make(map[string]string, len(keys))
	for _, k := range keys {
		b, err := os.ReadFile(procSys + k)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read sysctl %s: %w", k, err)
		}
		out[k] = strings.TrimSpace(string(b))
	}
	return out, nil
}

func writeSysctls(settings []plan.Sysctl) error {
	for _, s := range settings {
		err := effect.Do(effect.Sysctl, "set a sysctl of a namespace", func() error {
			return os.WriteFile(procSys+s.Key, []byte(s.Value), 0o644)
		})
		if s.Optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("set sysctl %s=%s: %w", s.Key, s.Value, err)
		}
	}
	return nil
}
