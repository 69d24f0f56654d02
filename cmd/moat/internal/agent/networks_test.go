package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"testing"

	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/netsource"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/tenant"
)

func TestASourceThatSaysNothingGood(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*several)
		code   cniconf.Code
		want   string
	}{
		"it is away":         {func(s *several) { s.failed = &netsource.Error{Msg: "away", Details: "wait", Passing: true} }, 11, "pod blue/p1"},
		"it is wrong":        {func(s *several) { s.failed = &netsource.Error{Msg: "wrong"} }, 7, "wrong"},
		"it knows of none":   {func(s *several) { s.entries = nil }, 7, "networkSource.required"},
		"of another network": {func(s *several) { s.entries[1].Network = "x" }, 7, `network "x" is not in networkSource.networksDir`},
		"an interface twice": {func(s *several) { s.entries[1].IfName = "eth0" }, 7, "data[1].ifName"},
		"a file of no CNI":   {func(s *several) { s.entries[1].Network = "broken" }, 7, `"broken"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSeveral(t)
			test.change(s)
			reply := s.call(cniconf.Add, nil)
			require.NotNil(t, reply.Failure)
			require.Equal(t, test.code, reply.Failure.Code)
			require.Contains(t, reply.Failure.Msg+reply.Failure.Details, test.want)
			require.Empty(t, s.runs)
			s.nothingIsLeft()
		})
	}
}

func TestANetworkThatFailsTakesAllAlong(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*several)
		code   cniconf.Code
		want   string
		runs   []string
	}{
		"the third plugin": {func(s *several) { s.fail["ADD backup net2"] = true }, 110, `network "backup", interface net2: plugin "second": no more cables`,
			[]string{"ADD storage net1", "ADD backup net2", "DEL backup net2", "DEL storage net1"}},
		"a plugin that is not there": {func(s *several) { s.missing = "backup" }, 7, `network "backup", interface net2: plugin "first": not found`,
			[]string{"ADD storage net1", "DEL storage net1"}},
		"a plugin that refuses whatever it is asked": {func(s *several) { s.refuses = "backup" }, 7, "that is no configuration",
			[]string{"ADD storage net1", "DEL storage net1"}},
		"a plugin that prints null as address": {func(s *several) { s.prints = `{"cniVersion":"1.1.0","ips":[null]}` }, 6, `plugin "first": its result: ips[0] is null`,
			[]string{"ADD storage net1", "DEL storage net1"}},
		"a plugin that prints null as interface": {func(s *several) { s.prints = `{"cniVersion":"1.1.0","interfaces":[null]}` }, 6, "interfaces[0] is null",
			[]string{"ADD storage net1", "DEL storage net1"}},
		"a plugin that prints garbage": {func(s *several) { s.prints = "<html>" }, 5, `network "backup", interface net2`,
			[]string{"ADD storage net1", "DEL storage net1"}},
		"a plugin that prints a list": {func(s *several) { s.prints = "[]" }, 5, `network "backup", interface net2`,
			[]string{"ADD storage net1", "DEL storage net1"}},
		"the tenant's own": {func(s *several) { s.service.onAttach(func(context.Context) error { return errors.New("no port") }) }, 5, `network "moat", interface eth0: no port`, nil},
		"a plugin that takes another address": {func(s *several) { s.deaf = true }, 7, "wants the address 10.1.0.5/16, the network gave 10.2.0.9/16",
			[]string{"ADD storage net1", "DEL storage net1"}},
		"a subnet of another length":              {func(s *several) { s.entries[0].Address = netip.MustParsePrefix("10.9.0.2/22") }, 7, "wants the address 10.9.0.2/22, the network gave 10.9.0.2/24", nil},
		"a gateway of nobody":                     {func(s *several) { s.entries[0].Gateway = netip.MustParseAddr("10.9.0.3") }, 7, "wants the gateway 10.9.0.3, the network gave 10.9.0.1", nil},
		"a MAC that the tenant's network has not": {func(s *several) { s.entries[0].MAC = "02:00:00:00:00:99" }, 7, "wants the MAC 02:00:00:00:00:99", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSeveral(t)
			test.change(s)
			reply := s.call(cniconf.Add, nil)
			require.NotNil(t, reply.Failure)
			require.Equal(t, test.code, reply.Failure.Code, "%v", reply.Failure)
			require.Contains(t, reply.Failure.Msg, test.want)
			require.Contains(t, reply.Failure.Msg, "pod blue/p1")
			require.Equal(t, test.runs, s.runs)
			s.nothingIsLeft()
		})
	}
}

func TestWhatCannotBeUndoneIsUndoneLater(t *testing.T) {
	s := newSeveral(t)
	s.fail["ADD backup net2"], s.fail["DEL storage net1"] = true, true
	require.NotNil(t, s.call(cniconf.Add, nil).Failure)
	require.Equal(t, map[string]bool{"storage net1": true}, s.made)
	require.Zero(t, s.service.count(), "the others are undone all the same")

	delete(s.fail, "DEL storage net1")
	delete(s.fail, "ADD backup net2")
	s.ok(cniconf.Add, nil)
	require.Equal(t, []string{"DEL storage net1", "ADD storage net1", "ADD backup net2"}, s.runs, "what was undone is not undone again")
	s.ok(cniconf.Del, nil)
	s.nothingIsLeft()
}

func TestSeveralNetworksForOnePod(t *testing.T) {
	s := newSeveral(t)
	s.entries[1].MAC = "02:00:00:00:01:05"
	out := s.ok(cniconf.Add, keys{"runtimeConfig": keys{"mac": "02:00:00:00:00:02"}})
	require.Equal(t, []netsource.Pod{{Name: "p1", Namespace: "blue", UID: "u1", Node: "node-1", Network: "tenants", IfName: "eth0"}}, s.asked)
	r, _ := s.service.request()
	require.Equal(t, []netip.Addr{netip.MustParseAddr("10.9.0.2")}, r.IPs)
	require.Equal(t, gateway, r.Gateway)

	var result types100.Result
	require.NoError(t, json.Unmarshal(out, &result))
	var names []string
	for _, l := range result.Interfaces {
		names = append(names, l.Name)
	}
	require.Equal(t, []string{"moat00000000001", "eth0", "host-net1", "net1", "host-net2", "net2"}, names)
	require.Equal(t, "02:00:00:00:01:05", result.Interfaces[3].Mac)
	require.Empty(t, result.Interfaces[5].Mac, "the runtime's wish is for the master")
	require.Len(t, result.IPs, 1, "the master's alone")
	require.Equal(t, "10.9.0.2/24", result.IPs[0].Address.String())
	require.Equal(t, 1, *result.IPs[0].Interface)
	require.Len(t, result.Routes, 1)
	s.ok(cniconf.Del, nil)
	s.nothingIsLeft()
}

func TestAMasterThatAnotherPluginMakes(t *testing.T) {
	s := newSeveral(t)
	s.entries = []netsource.Entry{s.entry("backup", "net2", ""), s.entry("storage", "", "10.1.0.5/16")}
	s.entries[1].Master, s.entries[1].Gateway = true, netip.MustParseAddr("10.1.0.1")
	out := s.ok(cniconf.Add, keys{
		"dns":           keys{"nameservers": []string{"10.9.0.53"}},
		"prevResult":    keys{"cniVersion": "1.1.0", "interfaces": []keys{{"name": "before", "sandbox": s.pod}}, "ips": []keys{{"address": "192.0.2.2/24", "interface": 0}}},
		"runtimeConfig": keys{"mac": "02:00:00:00:00:02", "ips": []string{"10.1.0.77"}},
	})
	require.Zero(t, s.service.count(), "the tenant's own network is not asked for")
	var result types100.Result
	require.NoError(t, json.Unmarshal(out, &result))
	require.Len(t, result.Interfaces, 5)
	require.Equal(t, "eth0", result.Interfaces[2].Name)
	require.Equal(t, "02:00:00:00:00:02", result.Interfaces[2].Mac)
	require.Len(t, result.IPs, 2)
	require.Equal(t, "10.1.0.5/16", result.IPs[1].Address.String())
	require.Equal(t, 2, *result.IPs[1].Interface)
	require.Equal(t, []string{"10.9.0.53"}, result.DNS.Nameservers)
	s.ok(cniconf.Check, keys{"prevResult": json.RawMessage(out)})
	require.Equal(t, []string{"CHECK backup net2", "CHECK storage eth0"}, s.runs)
	s.ok(cniconf.Del, nil)
	s.nothingIsLeft()
}

func TestWishesOfThePodAreForTheMasterAlone(t *testing.T) {
	s := newSeveral(t)
	r := s.request(cniconf.Add, nil)
	r.Env.Args += ";IP=10.9.0.2;MAC=02:00:00:00:00:02"
	reply := s.agent.Handle(t.Context(), r, s.run)
	require.Nil(t, reply.Failure, "%v", reply.Failure)
	for _, e := range s.envs {
		require.NotContains(t, e.Args, "IP=")
		require.NotContains(t, e.Args, "MAC=")
		require.Contains(t, e.Args, "K8S_POD_NAME=p1")
	}
	s.ok(cniconf.Del, nil)

	r = s.request(cniconf.Add, nil)
	r.Env.Args += ";IP=10.9.0.3"
	reply = s.agent.Handle(t.Context(), r, s.run)
	require.NotNil(t, reply.Failure)
	require.EqualValues(t, 7, reply.Failure.Code)
	require.Contains(t, reply.Failure.Msg, "the pod asks for [10.9.0.3], and the network source gives it 10.9.0.2/24")
	s.nothingIsLeft()
}

// What a pod's annotations want of a network that others make is theirs to give: the
// pod is refused where they did not.
func TestAnnotationsAboutNetworksOfOthers(t *testing.T) {
	for name, test := range map[string]struct {
		say  notes
		want string
	}{
		"another address":        {notes{"moat.dev/ip.net1": "10.1.0.6"}, "annotation moat.dev/ip.net1 wants the address 10.1.0.6, the network gave [10.1.0.5/16]"},
		"another length":         {notes{"moat.dev/ip.net1": "10.1.0.5/24"}, "annotation moat.dev/ip.net1 wants the address 10.1.0.5/24"},
		"another MAC":            {notes{"moat.dev/mac.net1": "02:00:00:00:00:06"}, "annotation moat.dev/mac.net1 wants the MAC 02:00:00:00:00:06"},
		"a gateway":              {notes{"moat.dev/gateway.net1": "10.1.0.1"}, "annotation moat.dev/gateway.net1 wants the gateway 10.1.0.1"},
		"what cannot be read":    {notes{"moat.dev/ip.net1": "ten"}, `annotation moat.dev/ip.net1 "ten"`},
		"the address that it is": {notes{"moat.dev/ip.net1": "10.1.0.5/16", "moat.dev/ip": "10.9.0.2"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSeveral(t)
			s.cluster = &cluster{}
			s.cluster.say(test.say)
			s.restart()
			reply := s.call(cniconf.Add, nil)
			if test.want == "" {
				require.Nil(t, reply.Failure, "%v", reply.Failure)
				return
			}
			require.NotNil(t, reply.Failure)
			require.EqualValues(t, 7, reply.Failure.Code)
			require.Contains(t, reply.Failure.Msg, test.want)
			s.nothingIsLeft()
		})
	}
}

func TestARepeatedAddOfSeveralNetworks(t *testing.T) {
	s := newSeveral(t)
	first := s.ok(cniconf.Add, nil)
	s.restart()
	s.entries, s.asked = nil, nil
	require.JSONEq(t, string(first), string(s.ok(cniconf.Add, nil)))
	require.Empty(t, s.asked, "the source is not asked about what is in place")
	require.Equal(t, []string{"CHECK storage net1", "CHECK backup net2"}, s.runs)

	s.fail["CHECK backup net2"] = true
	s.entries = []netsource.Entry{s.entry("moat", "", ""), s.entry("old", "net3", "")}
	s.entries[0].Master = true
	s.ok(cniconf.Add, nil)
	require.Equal(t, map[string]bool{"old net3": true}, s.made, "what was not in place was undone, and the source asked anew")
	s.ok(cniconf.Add, nil)
	require.Equal(t, []string{"DEL old net3", "ADD old net3"}, s.runs, "a network that has no CHECK is made anew")
	s.ok(cniconf.Del, nil)
	s.nothingIsLeft()
}

// A store that does not answer says nothing of a pod's networks: they stay.
func TestARepeatedAddWhileTheStoreIsSilentUndoesNothing(t *testing.T) {
	s := newSeveral(t)
	first := s.ok(cniconf.Add, nil)
	made := maps.Clone(s.made)
	s.service.failWith(&tenant.Error{Code: tenant.CodeTryAgain, Msg: "no answer", Err: ipam.ErrUnavailable})
	reply := s.call(cniconf.Add, nil)
	require.NotNil(t, reply.Failure)
	require.Equal(t, cniconf.CodeTryAgain, reply.Failure.Code)
	require.Equal(t, made, s.made)
	require.Empty(t, s.service.detaches())
	s.service.failWith(nil)
	require.JSONEq(t, string(first), string(s.ok(cniconf.Add, nil)))
	s.ok(cniconf.Del, nil)
	s.nothingIsLeft()
}
