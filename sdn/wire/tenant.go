package wire

import "github.com/moatnet/moat/sdn"

// Tenant is resource Tenant-v2.
type Tenant struct {
	URI         Text `json:"uri"`
	ID          Text `json:"id"`
	Name        Text `json:"name"`
	Description Text `json:"description"`
	Enabled     Bool `json:"enabled"`
	Routers     Text `json:"routers"`
	Bridges     Text `json:"bridges"`
	Chains      Text `json:"chains"`
	PortGroups  Text `json:"portGroups"`
}

// Tenant is the representation of a tenant.
func (u URIs) Tenant(id sdn.TenantID) Tenant {
	t := string(id)
	return Tenant{
		URI: u.text(Tenants, t), ID: Text(t), Name: Text(t), Enabled: true,
		Routers:    Text(u.Of(Routers, t)),
		Bridges:    Text(u.Of(Bridges, t)),
		Chains:     Text(u.Of(Chains, t)),
		PortGroups: Text(u.Of(PortGroups, t)),
	}
}

// Noun reads a representation.
func (d Tenant) Noun() (sdn.TenantID, error) { return sdn.TenantID(d.ID), nil }
