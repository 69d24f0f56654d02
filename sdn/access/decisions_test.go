package access_test

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
)

// decision is who may call a method on their own tenant's objects.
type decision int

const (
	read  decision = iota + 1 // every role
	write                     // all but TenantUser
	admin                     // Admin alone
)

// decisions holds every method of the API.
var decisions = map[string]decision{
	"Tenants": read,
	"Routers": read, "Router": read, "CreateRouter": write, "UpdateRouter": write, "DeleteRouter": write,
	"Routes": read, "Route": read, "CreateRoute": write, "DeleteRoute": write,
	"Bridges": read, "Bridge": read, "CreateBridge": write, "UpdateBridge": write, "DeleteBridge": write,
	"Ports": read, "PeerPorts": read, "Port": read, "CreatePort": write, "UpdatePort": write, "DeletePort": write,
	"Link": write, "Unlink": write,
	"Bindings": admin, "Bind": admin, "Unbind": admin,
	"Chains": read, "Chain": read, "CreateChain": write, "DeleteChain": write,
	"Rules": read, "Rule": read, "CreateRule": write, "DeleteRule": write,
	"Hosts": admin, "Host": admin, "CreateHost": admin, "UpdateHost": admin, "DeleteHost": admin,
	"TunnelZones": admin, "TunnelZone": admin, "CreateTunnelZone": admin, "UpdateTunnelZone": admin, "DeleteTunnelZone": admin,
	"TunnelZoneHosts": admin, "TunnelZoneHost": admin, "AddTunnelZoneHost": admin, "RemoveTunnelZoneHost": admin,
	"PortGroups": read, "PortGroup": read, "CreatePortGroup": write, "UpdatePortGroup": write, "DeletePortGroup": write,
	"PortGroupPorts": read, "GroupsOfPort": read, "AddPortGroupPort": write, "RemovePortGroupPort": write,
	"IPAddrGroups": admin, "IPAddrGroup": admin, "CreateIPAddrGroup": admin, "DeleteIPAddrGroup": admin,
	"IPAddrGroupAddrs": admin, "AddIPAddrGroupAddr": admin, "RemoveIPAddrGroupAddr": admin,
	"MACPorts": read, "AddMACPort": write, "RemoveMACPort": write,
	"IP4MACs": read, "AddIP4MAC": write, "RemoveIP4MAC": write,
	"DHCPSubnets": read, "DHCPSubnet": read, "CreateDHCPSubnet": write, "UpdateDHCPSubnet": write, "DeleteDHCPSubnet": write,
	"DHCPHosts": read, "DHCPHost": read, "CreateDHCPHost": write, "UpdateDHCPHost": write, "DeleteDHCPHost": write,
}

// unchecked are references that no decision needs, each with the reason.
var unchecked = map[string]string{
	"CreateRouter/1.ID":          "an ID in use is ErrExists",
	"CreateRoute/1.ID":           "an ID in use is ErrExists",
	"CreateBridge/1.ID":          "an ID in use is ErrExists",
	"CreatePort/1.ID":            "an ID in use is ErrExists",
	"CreateChain/1.ID":           "an ID in use is ErrExists",
	"CreateRule/1.ID":            "an ID in use is ErrExists",
	"CreatePortGroup/1.ID":       "an ID in use is ErrExists",
	"CreateBridge/1.Home.Device": "the topology decides it",
	"CreateBridge/1.Home.Self":   "the topology decides it",
	"UpdateBridge/1.Home.Device": "the topology keeps it",
	"UpdateBridge/1.Home.Self":   "the topology keeps it",
	"UpdatePort/1.Device":        "the topology keeps it",
	"RemoveMACPort/1.Port":       "part of the key, on a bridge that is checked",
}

// prefixes of the IDs of the kinds that have an owner. The others belong to no
// tenant, so that nobody but an admin may name one.
var prefixes = map[reflect.Type]string{
	reflect.TypeFor[sdn.RouterID]():    "router-",
	reflect.TypeFor[sdn.DeviceID]():    "router-",
	reflect.TypeFor[sdn.BridgeID]():    "bridge-",
	reflect.TypeFor[sdn.PortID]():      "port-",
	reflect.TypeFor[sdn.ChainID]():     "chain-",
	reflect.TypeFor[sdn.RuleID]():      "rule-",
	reflect.TypeFor[sdn.RouteID]():     "route-",
	reflect.TypeFor[sdn.PortGroupID](): "group-",
	reflect.TypeFor[sdn.TenantID]():    "",
}

var unowned = []reflect.Type{
	reflect.TypeFor[sdn.HostID](), reflect.TypeFor[sdn.TunnelZoneID](), reflect.TypeFor[sdn.IPAddrGroupID](),
}

// reference is one ID somewhere in the arguments of a call.
type reference struct {
	path  string
	value reflect.Value
}

// references finds all IDs in v, which must be settable, and gives slices of
// them one element, if they are of what has IDs.
func references(t *testing.T, path string, v reflect.Value) []reference {
	switch v.Kind() {
	case reflect.String:
		if _, owned := prefixes[v.Type()]; owned {
			return []reference{{path, v}}
		}
		for _, u := range unowned {
			if v.Type() == u {
				return []reference{{path, v}}
			}
		}
		if strings.HasSuffix(v.Type().Name(), "ID") {
			t.Errorf("%s: say who owns a %s", path, v.Type())
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		found := references(t, path+"[0]", v.Index(0))
		if len(found) == 0 {
			v.SetZero()
		}
		return found
	case reflect.Struct:
		var all []reference
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				all = append(all, references(t, path+"."+v.Type().Field(i).Name, v.Field(i))...)
			}
		}
		return all
	}
	return nil
}

// arguments are those of a call that stays within tenant red, and the IDs in
// them.
func arguments(t *testing.T, m reflect.Method) ([]reflect.Value, []reference) {
	args := []reflect.Value{reflect.ValueOf(t.Context())}
	var refs []reference
	for i := 1; i < m.Type.NumIn(); i++ {
		v := reflect.New(m.Type.In(i)).Elem()
		refs = append(refs, references(t, fmt.Sprintf("%s/%d", m.Name, i), v)...)
		args = append(args, v)
	}
	for _, r := range refs {
		if prefix, owned := prefixes[r.value.Type()]; owned {
			r.value.SetString(prefix + string(red))
		}
	}
	return args, refs
}

// call makes a call and returns its error; one that reaches what world does not
// have is nil.
func call(api sdn.API, m reflect.Method, args []reflect.Value) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case runtime.Error:
			if !strings.Contains(v.Error(), "nil pointer") {
				panic(v)
			}
		default:
			panic(v)
		}
	}()
	out := reflect.ValueOf(api).MethodByName(m.Name).Call(args)
	err, _ = out[len(out)-1].Interface().(error)
	return err
}

func methods(t *testing.T) []reflect.Method {
	of := reflect.TypeFor[sdn.API]()
	var all []reflect.Method
	for i := range of.NumMethod() {
		all = append(all, of.Method(i))
		require.NotZero(t, decisions[of.Method(i).Name], "decide who may call %s", of.Method(i).Name)
	}
	require.Len(t, decisions, len(all), "no decision is left over")
	return all
}

func as(role access.Role, tenant sdn.TenantID) sdn.API {
	return access.For(world{}, access.Identity{User: "u", Tenant: tenant, Role: role})
}

func TestEveryMethodForEveryRoleOnItsOwnTenant(t *testing.T) {
	for _, m := range methods(t) {
		args, _ := arguments(t, m)
		require.NoError(t, call(as(access.Admin, ""), m, args), m.Name)
		for role, least := range map[access.Role]decision{access.TenantUser: read, access.TenantAdmin: write} {
			err := call(as(role, red), m, args)
			if decisions[m.Name] > least {
				require.ErrorIs(t, err, sdn.ErrForbidden, "%s as %s", m.Name, role)
			} else {
				require.NoError(t, err, "%s as %s", m.Name, role)
			}
		}
	}
}

func TestNoMethodTakesAReferenceToAnotherTenant(t *testing.T) {
	met := map[string]bool{}
	for _, m := range methods(t) {
		args, refs := arguments(t, m)
		for _, r := range refs {
			before := r.value.String()
			r.value.SetString(prefixes[r.value.Type()] + string(blue))
			require.NoError(t, call(as(access.Admin, ""), m, args), r.path)
			for _, role := range []access.Role{access.TenantAdmin, access.TenantUser} {
				err := call(as(role, red), m, args)
				if unchecked[r.path] != "" && role == access.TenantAdmin {
					met[r.path] = true
					require.NoError(t, err, "%s is checked after all", r.path)
					continue
				}
				require.ErrorIs(t, err, sdn.ErrForbidden, "%s as %s", r.path, role)
			}
			r.value.SetString(before)
		}
	}
	require.Len(t, met, len(unchecked), "every exception is one: %v", met)
}

func TestNobodyWithoutARoleOrATenantGetsAnything(t *testing.T) {
	for _, who := range []access.Identity{
		{}, {User: "u", Role: access.TenantAdmin}, {User: "u", Role: access.TenantUser},
		{User: "u", Tenant: red}, {User: "u", Tenant: red, Role: "Admin"}, {User: "u", Tenant: red, Role: "member"},
	} {
		for _, m := range methods(t) {
			args, _ := arguments(t, m)
			require.ErrorIs(t, call(access.For(world{}, who), m, args), sdn.ErrForbidden, "%s as %+v", m.Name, who)
		}
	}
}
