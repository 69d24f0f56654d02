package control

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func TestTopologyPrintsWithTheNamesOfTheAPI(t *testing.T) {
	tcp := 6
	topology := Topology{
		Routers: []Router{{
			Router:    sdn.Router{ID: "r", TenantID: "blue", Name: "blue router", AdminStateUp: true, InboundFilter: "in"},
			Namespace: "moat-r",
			Ports:     []sdn.Port{{ID: "p", Kind: sdn.RouterPort, Device: "r", Peer: "q", Address: netip.MustParsePrefix("10.0.0.1/24"), Active: true}},
			Routes:    []sdn.Route{{ID: "x", Router: "r", Type: sdn.RouteNormal, Dst: netip.MustParsePrefix("0.0.0.0/0"), NextHopPort: "p", Weight: 7}},
			Inbound:   []sdn.Rule{{ID: "y", Chain: "in", Type: sdn.RuleAccept, Position: 1, Condition: sdn.Condition{Proto: &tcp}}},
		}},
		Bridges: []Bridge{{Bridge: sdn.Bridge{ID: "b", Name: "blue"}, Ports: []sdn.Port{{ID: "q", Kind: sdn.BridgePort, Device: "b", Host: "h", Interface: "i0"}}}},
	}
	shown, err := topology.Printable()
	require.NoError(t, err)
	raw, err := json.Marshal(shown)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "null")
	require.NotRegexp(t, `"[A-Z]\w*":`, string(raw), "a Go name")
	var got struct {
		Routers []struct {
			ID, TenantID, Namespace, InboundFilterID string
			Ports                                    []struct{ ID, PeerID, PortAddress string }
			Routes                                   []struct {
				Type, NextHopPort string
				Weight            int
			}
			InboundRules []struct {
				Type     string
				Position int
				NwProto  int
			}
			OutboundRules []any
		}
		Bridges []struct {
			Name  string
			Ports []struct{ HostID, InterfaceName string }
		}
	}
	require.NoError(t, json.Unmarshal(raw, &got))
	r := got.Routers[0]
	require.Equal(t, []string{"r", "blue", "moat-r", "in"}, []string{r.ID, r.TenantID, r.Namespace, r.InboundFilterID})
	require.Equal(t, "10.0.0.1", r.Ports[0].PortAddress)
	require.Equal(t, "q", r.Ports[0].PeerID)
	require.Equal(t, "p", r.Routes[0].NextHopPort)
	require.Equal(t, 7, r.Routes[0].Weight)
	require.Equal(t, 6, r.InboundRules[0].NwProto)
	require.NotNil(t, r.OutboundRules, "an empty list is there")
	require.Equal(t, "i0", got.Bridges[0].Ports[0].InterfaceName)
}

func TestEmptyTopologyPrintsEmptyLists(t *testing.T) {
	shown, err := Topology{}.Printable()
	require.NoError(t, err)
	raw, err := json.Marshal(shown)
	require.NoError(t, err)
	require.JSONEq(t, `{"routers":[],"bridges":[]}`, string(raw))
}
