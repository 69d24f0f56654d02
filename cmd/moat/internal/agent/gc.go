package agent

import (
	"encoding/json"

	"github.com/containernetworking/cni/pkg/types"
)

// The keys of GC's list: the right one, and that of older runtimes.
const (
	keyValid      = "cni.dev/valid-attachments"
	keyValidOlder = "cni.dev/attachments"
)

// validAttachments is the list of GC. listed is false when the runtime sent
// none, which is not an empty list: then nothing may be removed. Older runtimes
// use another key (containernetworking/cni#1101); it holds where the right one
// is missing.
func validAttachments(b []byte) (valid []types.GCAttachment, listed bool, err error) {
	var raw struct {
		Valid *[]types.GCAttachment `json:"cni.dev/valid-attachments"`
		Older *[]types.GCAttachment `json:"cni.dev/attachments"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, false, decodeError(err)
	}
	if raw.Valid == nil {
		raw.Valid = raw.Older
	}
	if raw.Valid == nil {
		return nil, false, nil
	}
	return *raw.Valid, true, nil
}
