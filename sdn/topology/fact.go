package topology

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// schemaVersion is the version of the stored form, key "meta/schema". Version 2
// has groups, neighbours and DHCP, and further fields of routers and conditions,
// version 3 the senders of ports, which a program that does not know them would
// drop; what older versions stored means the same in it.
const schemaVersion = 3

// Keys of kindMeta.
var (
	headKey   = key{kindMeta, "head"}
	schemaKey = key{kindMeta, "schema"}
	// chainsKey is put by every write that Options.Check was asked about, so
	// that of two that are right alone and wrong together one is computed anew.
	chainsKey = key{kindMeta, "chains"}
)

// key names something stored: an object, or a decision that objects share.
type key struct {
	kind sdn.Kind
	id   string
}

func (k key) String() string { return forms[k.kind].name + "/" + k.id }

// parseKey reads a stored key; the kind of one that no form has is its name.
func parseKey(s string) key {
	name, id, _ := strings.Cut(s, "/")
	if kind, ok := kindNamed[name]; ok {
		return key{kind, id}
	}
	return key{sdn.Kind(name), id}
}

// fact is what is stored under a key. Body is an object of sdn by value, the
// list of an order, or the ID that a shared decision names; nil is "nothing".
type fact struct {
	key     key
	body    any
	deleted bool // marked: no reader sees it, finish removes it
	mod     int64
	created int64
}

// record is the stored form of a fact.
type record struct {
	Deleted bool `json:"deleted,omitempty"`
	Object  any  `json:"object"`
}

func encode(f fact) ([]byte, error) {
	b, err := json.Marshal(record{f.deleted, f.body})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", f.key, err)
	}
	return b, nil
}

// decode fills body and mark from the stored form.
func (f *fact) decode(value []byte) error {
	form, ok := forms[f.key.kind]
	if !ok {
		return fmt.Errorf("decode %s/%s: unknown kind %q", f.key.kind, f.key.id, f.key.kind)
	}
	if err := form.decode(f, value); err != nil {
		return fmt.Errorf("decode %s: %w", f.key, err)
	}
	return nil
}

func decodeAs[T any](f *fact, value []byte) error {
	var body T
	r := record{Object: &body}
	if err := json.Unmarshal(value, &r); err != nil {
		return err
	}
	f.body, f.deleted = body, r.Deleted
	return nil
}
