package ipam

import (
	"fmt"
	"strings"
)

// Attachment is the identity of everything that is made for one interface of
// one pod. CNI 1.1.0, section 2, calls (container ID, interface name) on a
// network an attachment; the node is added because GC lists are a node's.
type Attachment struct {
	Node        string `json:"node"`
	Network     string `json:"network"` // "name" of the network configuration
	ContainerID string `json:"containerID"`
	IfName      string `json:"ifName"`
}

func (a Attachment) String() string {
	return a.Network + "/" + a.ContainerID + "/" + a.IfName
}

// Validate returns ErrInvalid for an identity with an empty field or one that
// does not fit into a key.
func (a Attachment) Validate() error {
	for _, f := range []struct{ name, value string }{
		{"node", a.Node}, {"network", a.Network}, {"container ID", a.ContainerID}, {"interface name", a.IfName},
	} {
		if !ValidName(f.value) {
			return fmt.Errorf("attachment %s: %s %q: %w", a, f.name, f.value, ErrInvalid)
		}
	}
	return nil
}

// ValidName reports whether a node, network, pool or container may be called so, of
// which keys are made: 1 to 253 printable characters of ASCII without a slash.
func ValidName(s string) bool {
	return s != "" && len(s) <= 253 && !strings.ContainsFunc(s, unfit)
}

func unfit(r rune) bool { return r <= ' ' || r == '/' || r > '~' }
