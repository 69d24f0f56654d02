package tenant

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// Roles of the objects that Moat makes; part of their IDs, so never change one.
const (
	roleProvider    = "provider"
	roleUplink      = "uplink"
	roleTunnelZone  = "tunnel-zone"
	roleChainIn     = "chain-in"
	roleChainOut    = "chain-out"
	roleRouter      = "router"
	roleTransitFar  = "transit-provider" // the port on the provider router
	roleTransitNear = "transit-tenant"   // the port on the tenant router
	roleBridge      = "bridge"
	roleGateway     = "gateway" // the router port that holds a subnet's gateway address
	roleTrunk       = "trunk"   // the bridge port at its other end
	rolePod         = "pod"
	roleRule        = "rule"
	roleRoute       = "route"
)

// names derives the IDs of a tenant's objects: UUIDs of version 5 (RFC 9562,
// section 5.5) over installation, tenant, generation, role and key. Anyone who
// has the tenant's record computes the same.
type names struct {
	installation uuid.UUID
	tenant       string
	generation   string
}

// newNames is for a tenant, or for the provider when tenant is "".
func newNames(installation, tenant, generation string) (names, error) {
	u, err := uuid.Parse(installation)
	if err != nil {
		return names{}, fmt.Errorf("installation ID %q: %w", installation, err)
	}
	return names{u, tenant, generation}, nil
}

func id[T ~string](n names, role string, key ...string) T {
	fields := append([]string{n.tenant, n.generation, role}, key...)
	return T(uuid.NewSHA1(n.installation, []byte(strings.Join(fields, "\x00"))).String())
}

// bridge is the ID of the bridge of a tenant's nth subnet.
func (n names) bridge(nth int) sdn.BridgeID { return id[sdn.BridgeID](n, roleBridge, fmt.Sprint(nth)) }

// pod is the ID of the bridge port of an attachment.
func (n names) pod(bridge string, a ipam.Attachment) sdn.PortID {
	return id[sdn.PortID](n, rolePod, bridge, a.Node, a.Network, a.ContainerID, a.IfName)
}

// rule names a rule after its content: it cannot be changed, so another wording
// is another rule. The position is no part of it.
func (n names) rule(r sdn.Rule) sdn.Rule {
	r.ID, r.Position = "", 0
	r.ID = id[sdn.RuleID](n, roleRule, digest(r))
	return r
}

// route names a route after its content.
func (n names) route(r sdn.Route) sdn.Route {
	r.ID = ""
	r.ID = id[sdn.RouteID](n, roleRoute, digest(r))
	return r
}

// digest of a value's JSON. All that is passed here marshals.
func digest(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("digest of %T: %v", v, err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// podMAC is a locally administered address for the pod's end of a port whose
// address is not known yet.
func podMAC(port sdn.PortID) string { return hostMAC(port + "/pod") }

// hostMAC is a locally administered address for the host end of a port.
func hostMAC(port sdn.PortID) string {
	sum := sha256.Sum256([]byte(port))
	return fmt.Sprintf("02:%02x:%02x:%02x:%02x:%02x", sum[0], sum[1], sum[2], sum[3], sum[4])
}
