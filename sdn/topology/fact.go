package topology

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// schemaVersion is the version of the stored form, key "meta/schema".
const schemaVersion = 1

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

func (k key) String() string {
	if k.kind == sdn.KindTunnelZone {
		return "zone/" + k.id
	}
	return string(k.kind) + "/" + k.id
}

func parseKey(s string) key {
	kind, id, _ := strings.Cut(s, "/")
	if kind == "zone" {
		return key{sdn.KindTunnelZone, id}
	}
	return key{sdn.Kind(kind), id}
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
	var err error
	switch f.key.kind {
	case sdn.KindRouter:
		err = decodeAs[sdn.Router](f, value)
	case sdn.KindBridge:
		err = decodeAs[sdn.Bridge](f, value)
	case sdn.KindPort:
		err = decodeAs[sdn.Port](f, value)
	case sdn.KindRoute:
		err = decodeAs[sdn.Route](f, value)
	case sdn.KindChain:
		err = decodeAs[sdn.Chain](f, value)
	case sdn.KindRule:
		err = decodeAs[sdn.Rule](f, value)
	case sdn.KindHost:
		err = decodeAs[sdn.Host](f, value)
	case sdn.KindTunnelZone:
		err = decodeAs[sdn.TunnelZone](f, value)
	case kindMember:
		err = decodeAs[sdn.TunnelZoneHost](f, value)
	case kindOrder:
		err = decodeAs[[]string](f, value)
	case kindBind, kindZoneName:
		err = decodeAs[string](f, value)
	case kindMeta:
		err = decodeAs[int](f, value)
	default:
		err = fmt.Errorf("unknown kind %q", f.key.kind)
	}
	if err != nil {
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

// checkSchema refuses a store that a newer program wrote.
func checkSchema(version int) error {
	if version > schemaVersion {
		return fmt.Errorf("%w: its schema has version %d, this program knows %d", errNewerSchema, version, schemaVersion)
	}
	return nil
}
