package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/netsource"
)

// several is a node whose pods get several networks, made by plugins of which
// this remembers what is left.
type several struct {
	t       *testing.T
	service *service
	agent   *agent.Agent
	dir     string // of records
	pod     string // path of its namespace

	entries []netsource.Entry // what the source answers
	failed  error             // or that it does not
	asked   []netsource.Pod
	source  *agent.NetworkSource
	cluster *cluster // nil: none

	mu               sync.Mutex
	runs             []string        // "ADD storage net1"
	made             map[string]bool // "storage net1"
	fail             map[string]bool // of runs
	envs             []cniconf.Env
	gc               map[string]string // the valid list by network
	missing, refuses string            // the network whose first plugin is not there, or takes nothing
	prints           string            // by the first plugin of backup, instead of a result
	deaf             bool              // plugins give another address than they are asked for
}

const storage = `{"cniVersion":"1.1.0","name":"storage","plugins":[{"type":"first","capabilities":{"mac":true}},{"type":"second"}]}`

func newSeveral(t *testing.T) *several {
	folder := t.TempDir()
	for _, name := range []string{"storage", "backup", "old"} {
		text := strings.ReplaceAll(storage, "storage", name)
		if name == "old" { // has neither CHECK nor GC
			text = strings.ReplaceAll(text, "1.1.0", "0.3.1")
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, name+".conflist"), []byte(text), 0o600))
	}
	s := &several{t: t, service: newService(), dir: filepath.Join(t.TempDir(), "networks"), pod: newPod(t).Path(),
		made: map[string]bool{}, fail: map[string]bool{}, gc: map[string]string{}}
	s.source = &agent.NetworkSource{Folder: os.DirFS(folder), Required: true,
		Ask: func(_ context.Context, p netsource.Pod) ([]netsource.Entry, error) {
			s.asked = append(s.asked, p)
			return s.entries, s.failed
		}}
	s.entries = []netsource.Entry{s.entry("moat", "", "10.9.0.2/24"), s.entry("storage", "net1", "10.1.0.5/16"), s.entry("backup", "net2", "")}
	s.entries[0].Master, s.entries[0].Gateway = true, gateway
	s.restart()
	return s
}

func (s *several) entry(network, ifName, address string) netsource.Entry {
	e := netsource.Entry{Network: network, IfName: ifName}
	if address != "" {
		e.Address = netip.MustParsePrefix(address)
	}
	return e
}

// restart makes another agent over the same records.
func (s *several) restart() {
	o := agent.Options{Service: s.service, Node: "node-1", BootID: "boot", Logger: slog.New(slog.DiscardHandler), Source: s.source, NetworksDir: s.dir}
	if s.cluster != nil {
		o.Cluster = s.cluster
	}
	var err error
	s.agent, err = agent.New(o)
	require.NoError(s.t, err)
}

// run is the runner of plugins: the second of a network stands for it.
func (s *several) run(_ context.Context, r protocol.Run) protocol.Ran {
	s.mu.Lock()
	defer s.mu.Unlock()
	var conf struct {
		CNIVersion, Name string
		PrevResult       json.RawMessage
		RuntimeConfig    struct{ MAC string }
		IPAM             struct {
			Addresses []struct{ Address, Gateway string }
		}
		Valid json.RawMessage `json:"cni.dev/valid-attachments"`
	}
	require.NoError(s.t, json.Unmarshal(r.Config, &conf))
	what := conf.Name + " " + r.Env.IfName
	call := r.Env.Command + " " + strings.TrimSpace(what)
	switch {
	case r.Plugin == "first" && conf.Name == s.missing:
		return protocol.Ran{Unstarted: true, Failure: &cniconf.Error{Code: 7, Msg: `plugin "first": not found`}}
	case conf.Name == s.refuses:
		return protocol.Ran{Status: 1, Stdout: []byte(`{"code":7,"msg":"that is no configuration"}`)}
	}
	if r.Plugin == "first" {
		if s.prints != "" && conf.Name == "backup" && r.Env.Command == cniconf.Add {
			return protocol.Ran{Stdout: []byte(s.prints)}
		}
		if r.Env.Command != cniconf.Add {
			return protocol.Ran{}
		}
		result := map[string]any{"cniVersion": conf.CNIVersion, "interfaces": []map[string]any{
			{"name": "host-" + r.Env.IfName}, {"name": r.Env.IfName, "sandbox": r.Env.Netns, "mac": conf.RuntimeConfig.MAC}}}
		address := map[string]any{"version": "4", "address": "10.2.0.9/16", "interface": 1}
		if len(conf.IPAM.Addresses) > 0 && !s.deaf {
			address["address"] = conf.IPAM.Addresses[0].Address
			if g := conf.IPAM.Addresses[0].Gateway; g != "" {
				address["gateway"] = g
			}
		}
		result["ips"] = []any{address}
		out, err := json.Marshal(result)
		require.NoError(s.t, err)
		return protocol.Ran{Stdout: out}
	}
	s.runs, s.envs = append(s.runs, call), append(s.envs, r.Env)
	if s.fail[call] {
		return protocol.Ran{Status: 1, Stdout: []byte(`{"code":110,"msg":"no more cables","details":"buy some"}`)}
	}
	switch r.Env.Command {
	case cniconf.Add:
		s.made[what] = true
		return protocol.Ran{Stdout: conf.PrevResult}
	case cniconf.Del:
		delete(s.made, what)
	case cniconf.GC:
		s.gc[conf.Name] = string(conf.Valid)
	}
	return protocol.Ran{}
}

// request is a call for the pod, with keys in its configuration.
func (s *several) request(command string, changes keys) protocol.Request {
	conf := keys{"cniVersion": "1.1.0", "name": "tenants", "type": "moat-cni"}
	for k, v := range changes {
		conf[k] = v
	}
	b, err := json.Marshal(conf)
	require.NoError(s.t, err)
	r := protocol.Request{Caller: protocol.CallerCNI, Config: b, Netns: protocol.NoNetns, Env: cniconf.Env{Command: command, Path: "/plugins"}}
	if command == cniconf.GC {
		return r
	}
	r.Env.ContainerID, r.Env.IfName = "c1", "eth0"
	r.Env.Args = "IgnoreUnknown=1;K8S_POD_NAME=p1;K8S_POD_NAMESPACE=blue;K8S_POD_UID=u1;K8S_POD_INFRA_CONTAINER_ID=c1"
	if command != cniconf.Del {
		r.Env.Netns = s.pod
		r.Netns, err = unix.Open(s.pod, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		require.NoError(s.t, err)
	}
	return r
}

func (s *several) call(command string, changes keys) protocol.Reply {
	s.runs, s.envs = nil, nil
	return s.agent.Handle(s.t.Context(), s.request(command, changes), s.run)
}

func (s *several) ok(command string, changes keys) []byte {
	s.t.Helper()
	reply := s.call(command, changes)
	require.Nil(s.t, reply.Failure, "%v", reply.Failure)
	return reply.Result
}

// nothingIsLeft says that neither networks nor records nor attachments are.
func (s *several) nothingIsLeft() {
	s.t.Helper()
	require.Empty(s.t, s.made)
	require.Zero(s.t, s.service.count())
	left, err := os.ReadDir(s.dir)
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(s.t, err)
	}
	require.Empty(s.t, left)
}

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

func TestDelOfSeveralNetworksAfterARestart(t *testing.T) {
	s := newSeveral(t)
	s.ok(cniconf.Add, nil)
	s.source, s.asked = nil, nil // it was taken out of the configuration, too
	s.restart()
	s.fail["DEL storage net1"] = true
	reply := s.call(cniconf.Del, nil)
	require.NotNil(t, reply.Failure)
	require.EqualValues(t, 110, reply.Failure.Code)
	require.Contains(t, reply.Failure.Details, "buy some; what is left to undo is recorded in "+s.dir)
	require.Equal(t, map[string]bool{"storage net1": true}, s.made)
	delete(s.fail, "DEL storage net1")
	for range 2 {
		s.ok(cniconf.Del, nil)
	}
	require.Empty(t, s.asked)
	s.nothingIsLeft()
}

func TestALostResultOfSeveralNetworksIsUndone(t *testing.T) {
	s := newSeveral(t)
	r := s.request(cniconf.Add, nil)
	defer unix.Close(r.Netns)
	d := s.agent.Direct(t.Context())
	reply, err := d.Call(t.Context(), r, s.run)
	require.NoError(t, err)
	require.Nil(t, reply.Failure)
	require.Len(t, s.made, 2)
	require.NoError(t, d.Close(), "without having been told that the result arrived")
	s.nothingIsLeft()
}

func TestCheckOfSeveralNetworks(t *testing.T) {
	s := newSeveral(t)
	out := s.ok(cniconf.Add, nil)
	prev := keys{"prevResult": json.RawMessage(out)}
	s.ok(cniconf.Check, prev)
	require.Equal(t, []string{"CHECK storage net1", "CHECK backup net2"}, s.runs)
	require.Len(t, s.service.checks(), 1)
	s.fail["CHECK backup net2"] = true
	reply := s.call(cniconf.Check, prev)
	require.NotNil(t, reply.Failure)
	require.Contains(t, reply.Failure.Msg, `network "backup"`)
	s.ok(cniconf.Del, nil)
	s.fail["ADD backup net2"], s.fail["DEL backup net2"] = true, true
	require.NotNil(t, s.call(cniconf.Add, nil).Failure)
	reply = s.call(cniconf.Check, prev)
	require.NotNil(t, reply.Failure)
	require.EqualValues(t, 106, reply.Failure.Code, "%v", reply.Failure)
}

func TestGCOfSeveralNetworks(t *testing.T) {
	s := newSeveral(t)
	s.ok(cniconf.Add, nil)
	kept := s.request(cniconf.Add, nil)
	kept.Env.ContainerID = "c2"
	require.Nil(t, s.agent.Handle(t.Context(), kept, s.run).Failure)

	s.ok(cniconf.GC, nil)
	require.Len(t, s.made, 2, "without a list nothing is done")
	s.ok(cniconf.GC, keys{"cni.dev/valid-attachments": []keys{{"containerID": "c2", "ifname": "eth0"}}})
	require.Equal(t, []string{"DEL backup net2", "DEL storage net1", "GC backup", "GC storage"}, s.runs, "a network of 0.3.1 has no GC")
	require.Equal(t, s.pod, s.envs[0].Netns, "which is there still")
	require.Empty(t, s.envs[2].ContainerID)
	require.JSONEq(t, `[{"containerID":"c2","ifname":"net1"}]`, s.gc["storage"])
	require.JSONEq(t, `[{"containerID":"c2","ifname":"net2"}]`, s.gc["backup"])
	left, err := os.ReadDir(s.dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestWhoseNetworksTheSourceIsNotAskedFor(t *testing.T) {
	for name, change := range map[string]func(s *several, r *protocol.Request){
		"another namespace":   func(s *several, _ *protocol.Request) { s.source.Namespaces = []string{"red"} },
		"a container, no pod": func(_ *several, r *protocol.Request) { r.Env.Args = "" },
		"none is needed":      func(s *several, _ *protocol.Request) { s.source.Required, s.entries = false, nil },
		"there is no source":  func(s *several, _ *protocol.Request) { s.source = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSeveral(t)
			r := s.request(cniconf.Add, nil)
			change(s, &r)
			s.restart()
			reply := s.agent.Handle(t.Context(), r, s.run)
			require.Nil(t, reply.Failure, "%v", reply.Failure)
			require.Empty(t, s.runs)
			require.Equal(t, 1, s.service.count())
			s.ok(cniconf.Del, nil)
			s.nothingIsLeft()
		})
	}
}

func TestAnUnreadableRecordIsSaid(t *testing.T) {
	s := newSeveral(t)
	s.ok(cniconf.Add, nil)
	records, err := filepath.Glob(filepath.Join(s.dir, "*", "record.json"))
	require.NoError(t, err)
	require.Len(t, records, 1)
	require.NoError(t, os.WriteFile(records[0], []byte("{"), 0o600))
	for _, command := range []string{cniconf.Add, cniconf.Del, cniconf.Check} {
		reply := s.call(command, nil)
		require.NotNil(t, reply.Failure, command)
		require.EqualValues(t, 5, reply.Failure.Code, fmt.Sprint(reply.Failure))
		require.Contains(t, reply.Failure.Msg, records[0])
	}
}
