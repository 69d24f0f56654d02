package agent_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
)

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
