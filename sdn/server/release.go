package server

import (
	"errors"
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/wire"
)

// What 1.9 does otherwise than 5.x, beyond media types.

// owned refuses what 1.9 wants a name and a tenant of, and did not get them.
func (c *call) owned(name string, tenant sdn.TenantID) error {
	if c.release != wire.V1 {
		return nil
	}
	var invalid sdn.ValidationError
	if name == "" {
		invalid.Violations = append(invalid.Violations, sdn.Violation{Property: "name", Message: "may not be null"})
	}
	if tenant == "" {
		invalid.Violations = append(invalid.Violations, sdn.Violation{Property: "tenantId", Message: "may not be null"})
	}
	if invalid.Violations == nil {
		return nil
	}
	return &invalid
}

// wholeList refuses a list of all tenants' objects to all but admins in 1.9.
// In 5.x the list holds what the caller may see.
func (c *call) wholeList(tenant sdn.TenantID) error {
	if c.release == wire.V1 && tenant == "" && identityOf(c.Context()).Role != access.Admin {
		return wire.Refuse(sdn.ErrForbidden, "A list without "+wire.TenantQuery+" is for administrators.")
	}
	return nil
}

// empty is the answer to a PUT or DELETE of a host: 200 in 5.x, which differs
// for hosts alone, 204 in 1.9.
func (c *call) empty() answer {
	if c.release == wire.V1 {
		return answer{status: http.StatusNoContent}
	}
	return ok(nil)
}

// zoneless turns the refusal to bind to a host without a tunnel zone, 409 in
// 5.x, into the violation that it is in 1.9.
func (c *call) zoneless(err error, host sdn.HostID) error {
	if c.release != wire.V1 || !errors.Is(err, sdn.ErrConflict) {
		return err
	}
	zones, lookup := c.api.TunnelZones(c.Context())
	if lookup != nil {
		return err
	}
	for _, z := range zones {
		if _, lookup := c.api.TunnelZoneHost(c.Context(), z.ID, host); !errors.Is(lookup, sdn.ErrNotFound) {
			return err
		}
	}
	return &sdn.ValidationError{Violations: []sdn.Violation{{Property: "hostId", Message: err.Error()}}}
}

// registerV1 answers what 1.9 has, 5.x has not, and this server does not serve.
func (s *server) registerV1() {
	for _, collection := range wire.UnservedV1() {
		s.subtree("/" + collection)
	}
	s.subtree("/" + wire.Ports + "/{id}/" + wire.BGPs)
	s.subtree("/" + wire.Hosts + "/{id}/" + wire.HostCommands)
}

// putState refuses a new state of the system, of which there is one alone.
func (s *server) putState(c *call) (answer, error) {
	state, err := wire.ParseState(c.body)
	if err != nil {
		return answer{}, err
	}
	if state != wire.NewState().State {
		return answer{}, wire.Refuse(sdn.ErrUnsupported, "The system state cannot be changed.")
	}
	return noContent(nil)
}
