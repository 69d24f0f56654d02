package agent_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/moat/internal/agent"
)

func TestParseConfig(t *testing.T) {
	c, err := agent.ParseConfig([]byte(`{"cniVersion":"1.1.0","name":"moat","type":"moat-cni","standalone":true,
		"credentials":"/etc/moat/credentials","logLevel":"debug","tenant":"green","ipam":{"type":"moat-ipam"}}`))
	require.NoError(t, err)
	require.True(t, c.Standalone)
	require.Equal(t, "/etc/moat/credentials", c.Credentials)
	require.EqualValues(t, "green", c.Tenant)
	_, err = agent.ParseConfig([]byte(`{"credentials":"etc"}`))
	require.ErrorContains(t, err, "absolute path")
}

// Whatever comes in, it is a valid configuration or an error object.
func FuzzParseConfig(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"cniVersion":"1.1.0","name":"moat","mtu":1400,"routes":[{"dst":"10.0.0.0/8"}]}`, `{"dns":null}`, `{"routes":[null]}`,
		`{"runtimeConfig":{"ips":["1.2.3.4"]},"args":{"cni":{"mac":"02:00:00:00:00:01"}}}`, `{"ipam":"x"}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := agent.ParseConfig(b)
		var e *cniconf.Error
		if err != nil {
			require.ErrorAs(t, err, &e)
			return
		}
		for _, r := range c.Routes {
			require.True(t, r.IsValid())
		}
	})
}

func TestNewNeedsItsParts(t *testing.T) {
	_, err := agent.New(agent.Options{Node: "n", Logger: slog.New(slog.DiscardHandler)})
	require.Error(t, err)
}

func newAgent(t *testing.T, s *service) *agent.Agent {
	t.Helper()
	a, err := agent.New(agent.Options{Service: s, Node: "node-1", Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	require.NoError(t, err)
	return a
}

func TestHandleSurvivesAPanic(t *testing.T) {
	n := newNode(t)
	n.service.onAttach(func(context.Context) error { panic("boom") })
	e := plugin(t, "moat-cni", n.env(nil), n.conf(nil)).failure(t)
	require.EqualValues(t, 999, e.Code)
	require.Contains(t, e.Msg, "boom")
	n.service.onAttach(nil)
	require.Zero(t, plugin(t, "moat-cni", n.env(nil), n.conf(nil)).status, "the daemon goes on")
}

func TestCallHasADeadline(t *testing.T) {
	s := newService()
	s.onAttach(func(ctx context.Context) error {
		<-ctx.Done()
		return errors.Join(errors.New("etcd"), ctx.Err())
	})
	fd := openNetns(t)
	reply := newAgent(t, s).Handle(t.Context(), protocol.Request{Caller: protocol.CallerCNI, Timeout: 1, Netns: fd,
		Env: cniconf.Env{Command: cniconf.Add, ContainerID: "c1", IfName: "eth0"}, Config: []byte(`{"cniVersion":"1.1.0","name":"moat"}`)}, nil)
	require.NotNil(t, reply.Failure)
	require.EqualValues(t, 11, reply.Failure.Code)
	require.Contains(t, reply.Failure.Msg, "c1")
}

// Standalone mode: the same code without a socket.
func TestDirect(t *testing.T) {
	request := func(t *testing.T) protocol.Request {
		fd := openNetns(t)
		t.Cleanup(func() { unix.Close(fd) })
		return protocol.Request{Caller: protocol.CallerCNI, Netns: fd,
			Env: cniconf.Env{Command: cniconf.Add, ContainerID: "c1", IfName: "eth0"}, Config: []byte(`{"cniVersion":"1.1.0","name":"moat"}`)}
	}
	t.Run("received", func(t *testing.T) {
		s := newService()
		d := newAgent(t, s).Direct(t.Context())
		reply, err := d.Call(t.Context(), request(t), nil)
		require.NoError(t, err)
		require.Nil(t, reply.Failure)
		require.NoError(t, d.Received())
		require.NoError(t, d.Close())
		require.Empty(t, s.detaches())
	})
	t.Run("result lost", func(t *testing.T) {
		s := newService()
		d := newAgent(t, s).Direct(t.Context())
		_, err := d.Call(t.Context(), request(t), nil)
		require.NoError(t, err)
		require.NoError(t, d.Close())
		require.Len(t, s.detaches(), 1)
	})
	t.Run("failed", func(t *testing.T) {
		s := newService()
		s.failWith(errors.New("no"))
		d := newAgent(t, s).Direct(t.Context())
		reply, err := d.Call(t.Context(), request(t), nil)
		require.NoError(t, err)
		require.NotNil(t, reply.Failure)
		require.NoError(t, d.Close())
		require.Empty(t, s.detaches())
	})
}

func TestUnknownKeyIsQuotedInPart(t *testing.T) {
	long := strings.Repeat("y", 1<<20)
	for _, conf := range []string{`{"name":"moat","x":"` + long + `"}`, `{"name":"moat","` + long + `":1}`} {
		_, err := agent.ParseConfig([]byte(conf))
		require.ErrorContains(t, err, "yyy")
		require.Less(t, len(err.Error()), 1000)
	}
}
