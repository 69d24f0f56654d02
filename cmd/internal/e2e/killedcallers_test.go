package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

const (
	repairWindow = 30 * time.Second
	killedPods   = 24 // for each seed
)

// Callers, and the daemon itself, are killed at any point of ADD and DEL, and then
// their pods are gone without another word. Within the repair window no address is
// lost; the living pods have theirs all along.
func TestCallersKilledAnywhereLoseNoAddress(t *testing.T) {
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			k := &killer{node: newNode(t), rnd: rand.New(rand.NewPCG(seed, 0))}
			living := k.living()
			for i := range killedPods {
				p, err := k.lab.NewPod("red", fmt.Sprintf("k%d", i))
				require.NoError(t, err)
				k.lifeOf(p, i%8 == 7)
				require.NoError(t, p.Remove())
			}
			last, err := k.lab.NewPod("red", "last") // whose ADD nobody kills
			require.NoError(t, err)
			out, err := k.caller("moat-ipam", last, "ADD").Output()
			require.NoError(t, err, "%s", out)
			require.NoError(t, last.Remove())
			require.NotEqual(t, living, k.held(), "something was left behind")
			var held []string
			if !eventually(repairWindow, func() bool { held = k.held(); return slices.Equal(living, held) }) {
				require.Equal(t, living, held, "lost addresses")
			}
			report, status := k.audit()
			require.Zero(t, status, "%+v", report)
			for _, p := range k.pods {
				require.NoError(t, k.rt.Check(t.Context(), p))
				k.reaches(p.Namespace, p.Gateway)
			}
		})
	}
}

// eventually says whether a condition came to hold in time.
func eventually(within time.Duration, holds func() bool) bool {
	for end := time.Now().Add(within); time.Now().Before(end); {
		if holds() {
			return true
		}
	}
	return false
}

// killer is a node whose callers are killed.
type killer struct {
	*node
	rnd  *rand.Rand
	pods []*lab.Pod // that live
}

// living are pods with addresses of both kinds; it returns what is held for them.
func (k *killer) living() []string {
	for i := range 3 {
		p := k.pod("red", fmt.Sprintf("living%d", i))
		out, err := k.caller("moat-ipam", p, "ADD").Output()
		require.NoError(k.t, err, "%s", out)
		k.pods = append(k.pods, p)
	}
	k.settled()
	held := k.held()
	require.Len(k.t, held, 6)
	return held
}

// held are all addresses with their holders.
func (k *killer) held() (all []string) {
	for _, a := range k.addresses() {
		all = append(all, strings.Join([]string{a.Scope.Kind, a.Scope.Name, a.Address, a.Attachment.ContainerID, a.State}, " "))
	}
	return all
}

// lifeOf is what becomes of a pod: an ADD that is killed, or its daemon, and for
// some a DEL that is killed too.
func (k *killer) lifeOf(p *lab.Pod, daemonToo bool) {
	plugin := []string{"moat-cni", "moat-ipam"}[k.rnd.IntN(2)]
	if daemonToo {
		var end sync.WaitGroup
		end.Go(func() { k.kill(k.caller(plugin, p, "ADD"), time.Minute) })
		k.pause()
		require.NoError(k.t, k.daemon.Kill())
		require.NoError(k.t, k.daemon.Start(k.t.Context()))
		end.Wait()
		return
	}
	k.kill(k.caller(plugin, p, "ADD"), k.moment())
	if k.rnd.IntN(3) == 0 {
		k.kill(k.caller(plugin, p, "DEL"), k.moment())
	}
}

// moment is some time within a call, or after it.
func (k *killer) moment() time.Duration { return time.Duration(k.rnd.IntN(40_000)) * time.Microsecond }

func (k *killer) pause() { <-time.After(k.moment()) }

// caller is a plugin that a runtime would start.
func (k *killer) caller(plugin string, p *lab.Pod, command string) *exec.Cmd {
	conf := k.entry("1.1.0", nil)
	if plugin == "moat-ipam" {
		conf = fmt.Sprintf(`{"cniVersion":"1.1.0","name":"lan","type":"bridge","ipam":{"type":"moat-ipam","socket":%q,"coolDown":"0","ranges":[[{"subnet":"10.77.0.0/24"}]]}}`,
			k.daemon.Socket())
	}
	cmd := exec.CommandContext(k.t.Context(), filepath.Join(bin, plugin))
	cmd.Stdin = strings.NewReader(conf)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "CNI_PATH=" + bin, "GORACE=" + os.Getenv("GORACE")}
	for name, value := range callEnv(command, p) {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// kill starts a caller in the host's namespace and kills it after a while, if it has
// not ended by then.
func (k *killer) kill(cmd *exec.Cmd, after time.Duration) {
	if err := k.host.Do(cmd.Start); err != nil {
		k.t.Errorf("start %s: %v", cmd.Path, err)
		return
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // killed, or just in time
	timer.Stop()
}
