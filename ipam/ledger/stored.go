package ledger

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/moatnet/moat/ipam"
)

// decode reads a value that carries its schema version. One of a version that this
// program does not know is left as it is: ErrNewer, or ErrCorrupt for a version that
// no program ever wrote.
func decode(p Pair, v any, schema *int) error {
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(p.Value, &head); err != nil {
		return fmt.Errorf("read %s: %w: %w", p.Key, ipam.ErrCorrupt, err)
	}
	switch {
	case head.Schema > ipam.Schema:
		return fmt.Errorf("read %s: its schema has version %d, this program knows %d: %w", p.Key, head.Schema, ipam.Schema, ipam.ErrNewer)
	case head.Schema < 1:
		return fmt.Errorf("read %s: its schema has version %d, the first was 1: %w", p.Key, head.Schema, ipam.ErrCorrupt)
	}
	if err := json.Unmarshal(p.Value, v); err != nil {
		return fmt.Errorf("read %s: %w: %w", p.Key, ipam.ErrCorrupt, err)
	}
	*schema = ipam.Schema
	return nil
}

// Readable returns why this program cannot read a key, without the prefix, and its
// value; nil: it can. Errors: ipam.ErrNewer, ipam.ErrCorrupt.
func Readable(key string, value []byte) error {
	p := Pair{Key: key, Value: value}
	b := builder{revisions: map[string]int64{}}
	switch read := b.reader(key); {
	case read != nil:
		return read(p)
	case key == keyInstallation:
		_, err := decodeInstallation(p)
		return err
	case key == keyNetworks:
		var n ipam.Networks
		return decode(p, &n, &n.Schema)
	case strings.HasPrefix(key, rangesPrefix):
		_, err := decodeRange(p)
		return err
	case key == keyRanges, strings.HasPrefix(key, endingsPrefix):
		return nil // they say all by being there
	}
	return fmt.Errorf("read %s: no such kind of key is known: %w", key, ipam.ErrNewer)
}
