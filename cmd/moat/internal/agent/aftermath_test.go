package agent_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/delegate"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/delegations"
)

// hasty is an ADD whose caller gives it little time, over a connection of its own.
func (n *node) hasty(t *testing.T, env vars, conf []byte, limit time.Duration) (protocol.Reply, *protocol.Client) {
	t.Helper()
	c, err := protocol.Dial(n.socket, time.Minute)
	require.NoError(t, err)
	read, failure := cniconf.ReadEnv(func(k string) string { return env[k] })
	require.Nil(t, failure)
	run := func(ctx context.Context, r protocol.Run) protocol.Ran {
		return delegate.Run(ctx, r, []string{"PATH=" + os.Getenv("PATH")}, io.Discard)
	}
	reply, err := c.Call(t.Context(), protocol.Request{Caller: protocol.CallerCNI, Env: read, Config: conf, Timeout: limit, Netns: int(n.pod.Fd())}, run)
	require.NoError(t, err)
	return reply, c
}

// The caller of an ADD whose time is over has its answer while what another plugin
// did is still being undone, and no later call comes in between.
func TestAFailedAddAnswersBeforeAllIsUndone(t *testing.T) {
	for name, next := range map[string]string{"DEL": cniconf.Del, "ADD": cniconf.Add} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			dir := t.TempDir()
			hang, release := filepath.Join(dir, "hang"), filepath.Join(dir, "release")
			require.NoError(t, os.WriteFile(hang, nil, 0o600))
			o := newOther(t, vars{
				"ADD": "if [ -e " + hang + " ]; then exec sleep 600; fi; " + says(goodOffer),
				"DEL": "while [ ! -e " + release + " ]; do sleep 0.02; done; echo undone >>" + filepath.Join(dir, "order"),
			})
			begin := time.Now()
			reply, c := n.hasty(t, o.env(n, nil), n.otherConf(nil), 500*time.Millisecond)
			took := time.Since(begin)
			require.NoError(t, c.Close())
			require.NotNil(t, reply.Failure)
			require.EqualValues(t, 11, reply.Failure.Code, "%v", reply.Failure)
			require.Less(t, took, 6*time.Second, "the undoing may take 10 s")
			require.Eventually(t, func() bool { return len(o.calls(t)) >= 2 && last(o.calls(t)) == "DEL c1" }, time.Minute, time.Millisecond)

			all, err := n.records.All()
			require.NoError(t, err)
			require.Len(t, all, 1, "a daemon that is killed now leaves a note to the next")
			require.False(t, all[0].Added)

			require.NoError(t, os.Remove(hang))
			answered := make(chan answer, 1)
			go func() { answered <- plugin(t, "moat-cni", o.env(n, vars{"CNI_COMMAND": next}), n.otherConf(nil)) }()
			require.Never(t, func() bool { return len(answered) > 0 || last(o.calls(t)) == "ADD c1" }, 300*time.Millisecond, 10*time.Millisecond)
			require.NoError(t, os.WriteFile(release, nil, 0o600))
			a := <-answered
			require.Zero(t, a.status, "%s", a.stdout)
			require.Equal(t, next+" c1", last(o.calls(t)))
			if next == cniconf.Add {
				require.Zero(t, plugin(t, "moat-cni", o.env(n, vars{"CNI_COMMAND": "DEL"}), n.otherConf(nil)).status)
			}
			n.nothingLeft(t)
		})
	}
}

func last(calls []string) string {
	if len(calls) == 0 {
		return ""
	}
	return calls[len(calls)-1]
}

// No call of a caller without a daemon outlives its limit by more than 200 ms: what
// it undoes lies within. What it cannot undo is noted.
func TestACallWithoutADaemonKeepsItsLimit(t *testing.T) {
	const limit = 30 * time.Second
	silent := func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
	for name, test := range map[string]struct {
		hangs   []string // commands of the plugin
		service func(ctx context.Context) error
		command string
		noted   int
	}{
		"a plugin's ADD":                          {[]string{"ADD"}, nil, cniconf.Add, 0},
		"a plugin's ADD and DEL":                  {[]string{"ADD", "DEL"}, nil, cniconf.Add, 1},
		"the tenant's attach":                     {nil, silent, cniconf.Add, 0},
		"the attach and the plugin's DEL":         {[]string{"DEL"}, silent, cniconf.Add, 1},
		"the plugin's DEL, when there is no port": {[]string{"DEL"}, func(context.Context) error { return errors.New("no port") }, cniconf.Add, 1},
		"a DEL": {[]string{"DEL"}, nil, cniconf.Del, 1},
	} {
		t.Run(name, func(t *testing.T) {
			fd, dir := openNetns(t), t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				records, err := delegations.Open(dir)
				require.NoError(t, err)
				s := newService()
				s.onAttach(test.service)
				a, err := agent.New(agent.Options{Service: s, Node: "node-1", Delegations: records, Logger: slog.New(slog.DiscardHandler)})
				require.NoError(t, err)
				run := func(ctx context.Context, r protocol.Run) protocol.Ran {
					if !slices.Contains(test.hangs, r.Env.Command) {
						return protocol.Ran{Stdout: []byte(goodOffer)}
					}
					<-ctx.Done()
					return protocol.Ran{Failure: &cniconf.Error{Code: cniconf.CodeTryAgain, Msg: "killed"}}
				}
				begin := time.Now()
				reply := a.Handle(t.Context(), protocol.Request{Caller: protocol.CallerCNI, Timeout: limit, Netns: fd,
					Env:    cniconf.Env{Command: test.command, ContainerID: "c1", IfName: "eth0"},
					Config: []byte(`{"cniVersion":"1.1.0","name":"moat","ipam":{"type":"other"}}`)}, run)
				require.NotNil(t, reply.Failure)
				require.LessOrEqual(t, time.Since(begin), limit+200*time.Millisecond)
				all, err := records.All()
				require.NoError(t, err)
				require.Len(t, all, test.noted)
			})
		})
	}
}
