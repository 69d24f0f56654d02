package agent_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/netsource"
	"github.com/moatnet/moat/cmd/moat/internal/wishes"
)

// silence is how long whoever is asked says nothing.
const silence = 10 * time.Second

func say(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	<-ctx.Done()
	return context.Cause(ctx)
}

type silentCluster struct{}

func (silentCluster) Pod(ctx context.Context, _, _, _ string) (wishes.Pod, error) {
	return wishes.Pod{}, say(ctx)
}

func (silentCluster) NodePods(ctx context.Context) (map[string]bool, error) { return nil, say(ctx) }

// The ADDs that a runtime repeats for one container do not wait for each other while
// somebody outside is silent, and neither does its DEL.
func TestCallsDoNotQueueBehindWhoIsSilent(t *testing.T) {
	for name, change := range map[string]func(*agent.Options){
		"the API server": func(o *agent.Options) { o.Cluster = silentCluster{} },
		"the network source": func(o *agent.Options) {
			o.Source = &agent.NetworkSource{Required: true, Ask: func(ctx context.Context, _ netsource.Pod) ([]netsource.Entry, error) {
				return nil, &netsource.Error{Msg: say(ctx).Error(), Passing: true}
			}}
		},
		"the API server, for a source": func(o *agent.Options) {
			o.Cluster = silentCluster{}
			o.Source = &agent.NetworkSource{Required: false, Ask: func(context.Context, netsource.Pod) ([]netsource.Entry, error) { return nil, nil }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			const calls = 3
			var namespaces [calls]int
			for i := range namespaces {
				namespaces[i] = openNetns(t)
			}
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				o := agent.Options{Service: newService(), Node: "node-1", NetworksDir: dir, Logger: slog.New(slog.DiscardHandler)}
				change(&o)
				a, err := agent.New(o)
				require.NoError(t, err)
				request := func(command string, netns int) protocol.Request {
					return protocol.Request{Caller: protocol.CallerCNI, Netns: netns, Config: []byte(`{"cniVersion":"1.1.0","name":"moat"}`),
						Env: cniconf.Env{Command: command, ContainerID: "c1", IfName: "eth0", Args: "IgnoreUnknown=1;K8S_POD_NAME=p1;K8S_POD_NAMESPACE=blue;K8S_POD_UID=u1"}}
				}
				begin := time.Now()
				var adds sync.WaitGroup
				for _, netns := range namespaces {
					adds.Go(func() {
						reply := a.Handle(t.Context(), request(cniconf.Add, netns), nil)
						if assert.NotNil(t, reply.Failure) {
							assert.EqualValues(t, 11, reply.Failure.Code, "%v", reply.Failure)
						}
						assert.LessOrEqual(t, time.Since(begin), silence+200*time.Millisecond)
					})
				}
				synctest.Wait()
				require.Nil(t, a.Handle(t.Context(), request(cniconf.Del, protocol.NoNetns), nil).Failure)
				require.Zero(t, time.Since(begin))
				adds.Wait()
			})
		})
	}
}
