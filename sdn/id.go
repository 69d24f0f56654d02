package sdn

import (
	"fmt"

	"github.com/google/uuid"
)

// Each kind of object has an ID type of its own, so that a bridge's ID can
// not be passed where a port's is wanted. All hold the canonical lower-case
// text form of a UUID (RFC 9562, section 4); the zero value means "none".
type (
	RouterID     string
	BridgeID     string
	PortID       string
	ChainID      string
	RuleID       string
	RouteID      string
	HostID       string
	TunnelZoneID string
)

// TenantID is the opaque owner of routers, bridges, chains and port groups. Moat
// uses the name of the Kubernetes namespace.
type TenantID string

// DeviceID is the ID of the router or bridge that a port belongs to.
type DeviceID string

// ParseID returns s as an ID of kind T in canonical form, or an error that
// wraps ErrInvalid when s is no UUID.
func ParseID[T ~string](s string) (T, error) {
	if len(s) != 36 {
		return "", fmt.Errorf("%q is not a UUID: %w", s, ErrInvalid)
	}
	u, err := uuid.Parse(s)
	if err != nil {
		return "", fmt.Errorf("%q is not a UUID: %w", s, ErrInvalid)
	}
	return T(u.String()), nil
}

// NewID returns a random ID (version 4) of kind T, for objects whose creator
// named none.
func NewID[T ~string]() T { return T(uuid.NewString()) }
