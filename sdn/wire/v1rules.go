package wire

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/moatnet/moat/sdn"
)

// NoZone is how a server words that a binding's host is in no tunnel zone.
const NoZone = "The specified host is not in any tunnel zone."

// Owned refuses a router, bridge, chain or port group without a name or a
// tenant where the release demands both.
func (r Release) Owned(name string, tenant sdn.TenantID) error {
	if r == V5 {
		return nil
	}
	var c check
	c.need("name", Text(name))
	c.need("tenantId", Text(tenant))
	return c.err()
}

// TakesRoute refuses the types of route that the release does not know.
func (r Release) TakesRoute(t sdn.RouteType) error {
	if r == V1 && t == sdn.RouteLocal {
		return fmt.Errorf("route: type %q is not of this release: %w", t, sdn.ErrInvalid)
	}
	return nil
}

// PortGoneTwice reports whether a port that is not there can be deleted.
func (r Release) PortGoneTwice() bool { return r == V1 }

// HostWritten is the status of a PUT or DELETE of a host.
func (r Release) HostWritten() int {
	if r == V1 {
		return http.StatusNoContent
	}
	return http.StatusOK
}

// Bound words an error of a binding: 1.9 counts a host outside all tunnel zones
// as wrong input, 5.x as a conflict.
func (r Release) Bound(err error) error {
	if r == V1 && errors.Is(err, sdn.ErrConflict) && err.Error() == NoZone {
		return &sdn.ValidationError{Violations: []sdn.Violation{{Property: "hostId", Message: NoZone}}}
	}
	return err
}
