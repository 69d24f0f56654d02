package access_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/moatnet/moat/sdn"
)

const (
	red  sdn.TenantID = "red"
	blue sdn.TenantID = "blue"
)

// world is a topology in which the ID of every object ends with its owner, as
// "router-red" does. Whatever else is called panics, by the nil interface that
// it embeds: the call got through.
type world struct{ sdn.API }

func find(id, kind string) (sdn.TenantID, error) {
	owner, found := strings.CutPrefix(id, kind+"-")
	if !found || owner != string(red) && owner != string(blue) {
		return "", fmt.Errorf("%s %s: %w", kind, id, sdn.ErrNotFound)
	}
	return sdn.TenantID(owner), nil
}

func (world) Tenants(context.Context) ([]sdn.TenantID, error) {
	return []sdn.TenantID{blue, red}, nil
}

func (world) Router(_ context.Context, id sdn.RouterID) (sdn.Router, error) {
	owner, err := find(string(id), "router")
	return sdn.Router{ID: id, TenantID: owner}, err
}

func (world) Bridge(_ context.Context, id sdn.BridgeID) (sdn.Bridge, error) {
	owner, err := find(string(id), "bridge")
	return sdn.Bridge{ID: id, TenantID: owner}, err
}

func (world) Port(_ context.Context, id sdn.PortID) (sdn.Port, error) {
	owner, err := find(string(id), "port")
	return sdn.Port{ID: id, Device: sdn.DeviceID("router-" + owner)}, err
}

func (world) Chain(_ context.Context, id sdn.ChainID) (sdn.Chain, error) {
	owner, err := find(string(id), "chain")
	return sdn.Chain{ID: id, TenantID: owner}, err
}

func (world) Rule(_ context.Context, id sdn.RuleID) (sdn.Rule, error) {
	owner, err := find(string(id), "rule")
	return sdn.Rule{ID: id, Chain: sdn.ChainID("chain-" + owner)}, err
}

func (world) Route(_ context.Context, id sdn.RouteID) (sdn.Route, error) {
	owner, err := find(string(id), "route")
	return sdn.Route{ID: id, Router: sdn.RouterID("router-" + owner)}, err
}

func (world) PortGroup(_ context.Context, id sdn.PortGroupID) (sdn.PortGroup, error) {
	owner, err := find(string(id), "group")
	return sdn.PortGroup{ID: id, TenantID: owner}, err
}

func (world) Routers(_ context.Context, tenant sdn.TenantID) ([]sdn.Router, error) {
	return []sdn.Router{{ID: sdn.RouterID("router-" + tenant), TenantID: tenant}}, nil
}

func (world) Bridges(_ context.Context, tenant sdn.TenantID) ([]sdn.Bridge, error) {
	return []sdn.Bridge{{ID: sdn.BridgeID("bridge-" + tenant), TenantID: tenant}, {ID: "gone"}}, nil
}

func (world) Ports(_ context.Context, device sdn.DeviceID) ([]sdn.Port, error) {
	switch device {
	case "":
		return []sdn.Port{{ID: "port-blue"}, {ID: "port-red"}}, nil
	case "gone":
		return nil, sdn.ErrNotFound
	}
	return []sdn.Port{{ID: sdn.PortID("on-" + device), Device: device}}, nil
}

func (world) PeerPorts(context.Context, sdn.DeviceID) ([]sdn.Port, error) {
	return []sdn.Port{{ID: "a", Device: "router-blue"}, {ID: "b", Device: "bridge-red"}, {ID: "c", Device: "gone"}}, nil
}

func (world) PortGroupPorts(_ context.Context, g sdn.PortGroupID) ([]sdn.PortGroupPort, error) {
	return []sdn.PortGroupPort{{Group: g, Port: "port-blue"}, {Group: g, Port: "port-red"}, {Group: g, Port: "gone"}}, nil
}

func (world) GroupsOfPort(_ context.Context, p sdn.PortID) ([]sdn.PortGroupPort, error) {
	return []sdn.PortGroupPort{{Group: "group-blue", Port: p}, {Group: "group-red", Port: p}}, nil
}
