package topology

import (
	"fmt"

	"github.com/moatnet/moat/sdn"
)

// errNewerSchema says that this program must not touch what is stored.
var errNewerSchema = fmt.Errorf("the topology was written by a newer program: %w", sdn.ErrUnavailable)

var errClosed = fmt.Errorf("the topology is closed: %w", sdn.ErrUnavailable)

// refusal is an error with a text of the API's contract, word for word, and
// its kind.
type refusal struct {
	text string
	kind error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

func refuse(kind error, format string, args ...any) error {
	return &refusal{fmt.Sprintf(format, args...), kind}
}

func missing[ID ~string](kind sdn.Kind, id ID) error {
	return refuse(sdn.ErrNotFound, "There is no %s with ID %s.", typeName[kind], id)
}

func exists[ID ~string](kind sdn.Kind, id ID) error {
	return refuse(sdn.ErrExists, "There is already a %s with ID %s.", typeName[kind], id)
}
