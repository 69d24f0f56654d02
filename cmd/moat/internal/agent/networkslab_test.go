package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

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
