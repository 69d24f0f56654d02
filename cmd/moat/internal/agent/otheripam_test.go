package agent_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/moat/internal/delegations"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/tenant"
)

// An ADD that fails for any cause leaves nothing with the plugin either.
func TestOtherIPAMThatGivesWhatCannotBe(t *testing.T) {
	offer := func(ips, rest string) string {
		return says(`{"cniVersion":"1.1.0","ips":[` + ips + `]` + rest + `}`)
	}
	for name, test := range map[string]struct {
		add  string
		code uint
		says string
	}{
		"error object":           {says(`{"code":123,"msg":"all gone","details":"buy more"}`) + "; exit 1", 123, `plugin "other": all gone`},
		"error without code":     {says(`{"msg":"all gone"}`) + "; exit 1", 5, "all gone"},
		"failure without words":  {"exit 3", 5, "ended with status 3: it printed nothing"},
		"failure with garbage":   {"echo garbage; exit 3", 5, `no error object, but "garbage"`},
		"garbage":                {"echo garbage", 6, `printed no result: "garbage`},
		"nothing":                {"true", 6, "printed no result"},
		"killed by itself":       {"kill -9 $$", 5, "signal: killed"},
		"no address":             {offer(``, ``), 7, "gives 0 addresses"},
		"two addresses":          {offer(`{"address":"10.9.0.2/24"},{"address":"10.9.0.3/24"}`, ``), 7, "gives 2 addresses"},
		"null as address":        {offer(`null`, ``), 6, `plugin "other": its result: ips[0] is null`},
		"null as route":          {offer(`{"address":"10.9.0.2/24"}`, `,"routes":[null]`), 6, "routes[0] is null"},
		"an address of null":     {offer(`{"address":null}`, ``), 6, "printed no result"},
		"an IPv4 in IPv6":        {offer(`{"address":"::ffff:10.9.0.2/64"}`, ``), 7, "gives the address"},
		"of no interface":        {offer(`{"address":"10.9.0.2/24","interface":3}`, `,"interfaces":[{"name":"eth0"}]`), 6, "ips[0].interface is 3, there are 1 interfaces"},
		"IPv6":                   {offer(`{"address":"fd00::2/64"}`, ``), 7, "IPv6 address fd00::2/64"},
		"another than asked for": {offer(`{"address":"10.9.0.3/24"}`, ``), 7, "the pod asks for [10.9.0.2]"},
		"IPv6 route":             {offer(`{"address":"10.9.0.2/24"}`, `,"routes":[{"dst":"::/0"}]`), 7, "route to ::/0"},
		"second gateway": {offer(`{"address":"10.9.0.2/24","gateway":"10.9.0.1"}`, `,"routes":[{"dst":"10.0.0.0/8","gw":"10.9.0.9"}]`), 7,
			"by way of 10.9.0.9"},
		"route with attributes": {offer(`{"address":"10.9.0.2/24"}`, `,"routes":[{"dst":"10.0.0.0/8","mtu":1300}]`), 7, "attributes"},
	} {
		t.Run(name, func(t *testing.T) {
			n, o := newNode(t), newOther(t, vars{"ADD": test.add})
			e := plugin(t, "moat-cni", o.env(n, nil), n.otherConf(keys{"args": keys{"cni": keys{"ips": []string{"10.9.0.2"}}}})).failure(t)
			require.EqualValues(t, test.code, e.Code, "%s", e.Msg)
			require.Contains(t, e.Msg+e.Details, test.says)
			require.Equal(t, []string{"ADD c1", "DEL c1"}, o.calls(t))
			n.nothingLeft(t)
		})
	}
	t.Run("the tenant refuses it", func(t *testing.T) {
		n, o := newNode(t), newOther(t, vars{"ADD": says(goodOffer)})
		n.service.failWith(&tenant.Error{Code: tenant.CodeAddressInUse, Msg: "held by another"})
		e := plugin(t, "moat-cni", o.env(n, nil), n.otherConf(nil)).failure(t)
		require.EqualValues(t, 103, e.Code)
		require.Equal(t, []string{"ADD c1", "DEL c1"}, o.calls(t))
		n.nothingLeft(t)
	})
	t.Run("it is not installed", func(t *testing.T) {
		n := newNode(t)
		e := plugin(t, "moat-cni", n.env(nil), n.otherConf(nil)).failure(t)
		require.EqualValues(t, 7, e.Code)
		require.Contains(t, e.Msg, `plugin "other"`)
		n.nothingLeft(t)
	})
}

func TestLifeWithOtherIPAM(t *testing.T) {
	n := newNode(t)
	o := newOther(t, vars{"ADD": says(goodOffer), "VERSION": says(versions)})
	a := plugin(t, "moat-cni", o.env(n, nil), n.otherConf(nil))
	require.Zero(t, a.status, "%s", a.stdout)
	asked, _ := n.service.request()
	require.Equal(t, `[10.9.0.2] 24 10.9.0.1 [10.7.0.0/16] plugin "other" of ipam.type`,
		fmt.Sprint(asked.IPs, " ", asked.SubnetBits, " ", asked.Gateway, " ", asked.Routes, " ", asked.IPsFrom))
	var result types100.Result
	require.NoError(t, json.Unmarshal(a.stdout, &result))
	require.Equal(t, []string{"10.9.0.53"}, result.DNS.Nameservers)

	again := plugin(t, "moat-cni", o.env(n, nil), n.otherConf(nil))
	require.Equal(t, string(a.stdout), string(again.stdout), "a repeated ADD has the same answer")
	check := n.otherConf(keys{"prevResult": json.RawMessage(a.stdout)})
	for command, conf := range map[string][]byte{"CHECK": check, "STATUS": n.otherConf(nil),
		"GC": n.otherConf(keys{"cni.dev/valid-attachments": []keys{{"containerID": "c1", "ifname": "eth0"}}})} {
		a := plugin(t, "moat-cni", o.env(n, vars{"CNI_COMMAND": command}), conf)
		require.Zero(t, a.status, "%s: %s", command, a.stdout)
	}
	require.Equal(t, "ADD c1", o.calls(t)[0])
	require.ElementsMatch(t, []string{"CHECK c1", "VERSION", "STATUS", "VERSION", "GC"}, withoutContainer(o.calls(t)[1:]))
	require.Equal(t, 1, n.service.count())

	for range 2 {
		require.Zero(t, plugin(t, "moat-cni", o.env(n, vars{"CNI_COMMAND": "DEL", "CNI_NETNS": ""}), n.otherConf(nil)).status)
		n.nothingLeft(t)
	}
	require.Equal(t, []string{"DEL c1", "DEL c1"}, o.calls(t)[6:])
}

// withoutContainer leaves the container ID out where GC, STATUS and VERSION only
// repeat what the runtime's environment had.
func withoutContainer(calls []string) (all []string) {
	for _, c := range calls {
		if command, _, _ := strings.Cut(c, " "); command != "CHECK" {
			c = command
		}
		all = append(all, c)
	}
	return all
}

func TestOtherIPAMThatFindsFaultOrIsNotAvailable(t *testing.T) {
	n := newNode(t)
	o := newOther(t, vars{"ADD": says(goodOffer), "VERSION": says(versions), "CHECK": says(`{"code":99,"msg":"not mine"}`) + "; exit 1",
		"STATUS": says(`{"code":51,"msg":"no server"}`) + "; exit 1", "GC": "exit 1"})
	a := plugin(t, "moat-cni", o.env(n, nil), n.otherConf(nil))
	require.Zero(t, a.status)
	e := plugin(t, "moat-cni", o.env(n, vars{"CNI_COMMAND": "CHECK"}), n.otherConf(keys{"prevResult": json.RawMessage(a.stdout)})).failure(t)
	require.EqualValues(t, 99, e.Code)
	require.Empty(t, n.service.checks())
	e = plugin(t, "moat-cni", o.env(n, vars{"CNI_COMMAND": "STATUS"}), n.otherConf(nil)).failure(t)
	require.Contains(t, e.Msg, "no server")
	gc := n.otherConf(keys{"cni.dev/valid-attachments": []keys{}})
	e = plugin(t, "moat-cni", o.env(n, vars{"CNI_COMMAND": "GC"}), gc).failure(t)
	require.Contains(t, e.Msg, "ended with status 1")
	require.Len(t, n.service.collections(), 1, "GC goes on after errors")
	require.Contains(t, o.calls(t), "DEL c1", "what GC does not list has its DEL, for plugins that know no GC")
	n.nothingLeft(t)
}

func TestGCAndStatusAreOnlyForPluginsThatKnowThem(t *testing.T) {
	n := newNode(t)
	o := newOther(t, vars{"VERSION": says(`{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}`)})
	for _, command := range []string{"STATUS", "GC"} {
		a := plugin(t, "moat-cni", o.env(n, vars{"CNI_COMMAND": command}), n.otherConf(keys{"cni.dev/valid-attachments": []keys{}}))
		require.Zero(t, a.status, "%s", a.stdout)
	}
	require.Equal(t, []string{"VERSION", "VERSION"}, withoutContainer(o.calls(t)))
}

// The DEL of a pod that is not known here, and one with a configuration that has
// become wrong, still reach the plugin.
func TestDelOfOtherIPAMNeedsNoRecord(t *testing.T) {
	n, o := newNode(t), newOther(t, nil)
	del := o.env(n, vars{"CNI_COMMAND": "DEL"})
	require.Zero(t, plugin(t, "moat-cni", del, n.otherConf(keys{"mtu": -1})).status)
	require.Equal(t, []string{"DEL c1"}, o.calls(t))
	require.Len(t, n.service.detaches(), 1)
}

// What could not be undone is noted, the attachment is detached all the same, and
// the next DEL, the next ADD or the next daemon finishes it.
func TestOtherIPAMThatCannotUndo(t *testing.T) {
	for name, finish := range map[string]func(t *testing.T, n *node, o other){
		"DEL": func(t *testing.T, n *node, o other) {
			require.Zero(t, plugin(t, "moat-cni", o.env(n, vars{"CNI_COMMAND": "DEL"}), n.otherConf(nil)).status)
		},
		"ADD": func(t *testing.T, n *node, o other) {
			require.Zero(t, plugin(t, "moat-cni", o.env(n, nil), n.otherConf(nil)).status)
			require.Equal(t, []string{"DEL c1", "ADD c1"}, o.calls(t)[2:], "first what is left, then anew")
			require.Zero(t, plugin(t, "moat-cni", o.env(n, vars{"CNI_COMMAND": "DEL"}), n.otherConf(nil)).status)
		},
		"ADD without it": func(t *testing.T, n *node, o other) {
			require.Zero(t, plugin(t, "moat-cni", o.env(n, nil), n.conf(nil)).status)
			require.Equal(t, []string{"DEL c1"}, o.calls(t)[2:])
			require.Zero(t, plugin(t, "moat-cni", o.env(n, vars{"CNI_COMMAND": "DEL"}), n.conf(nil)).status)
		},
		"daemon": func(t *testing.T, n *node, o other) {
			n.stop()
			n.start(t)
			require.Eventually(t, func() bool {
				all, err := n.records.All()
				return err == nil && len(all) == 0
			}, time.Minute, 5*time.Millisecond)
			n.stop()
			require.Len(t, o.calls(t), 3)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			broken := filepath.Join(t.TempDir(), "broken")
			o := newOther(t, vars{"ADD": says(goodOffer), "DEL": "if [ -e " + broken + " ]; then echo no >&2; exit 1; fi"})
			require.Zero(t, plugin(t, "moat-cni", o.env(n, nil), n.otherConf(nil)).status)
			require.NoError(t, os.WriteFile(broken, nil, 0o600))
			a := plugin(t, "moat-cni", o.env(n, vars{"CNI_COMMAND": "DEL"}), n.otherConf(nil))
			require.Contains(t, a.failure(t).Msg, "ended with status 1")
			require.Contains(t, string(a.stderr), "no\n", "the plugin's own words are the runtime's to read")
			require.Zero(t, n.service.count())
			require.NoError(t, os.Remove(broken))
			finish(t, n, o)
			n.nothingLeft(t)
		})
	}
}

// The runtime kills the plugin's process, or the daemon goes, while the other
// plugin works: what that one may have done is undone.
func TestKilledWhileOtherIPAMWorks(t *testing.T) {
	for name, kill := range map[string]func(t *testing.T, n *node, c *exec.Cmd){
		"the plugin's process": func(t *testing.T, _ *node, c *exec.Cmd) {
			require.NoError(t, c.Process.Kill())
			require.Error(t, c.Wait())
		},
		"the daemon stops": func(t *testing.T, n *node, c *exec.Cmd) {
			n.stop()
			require.Error(t, c.Wait())
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			pid := filepath.Join(t.TempDir(), "pid")
			o := newOther(t, vars{"ADD": "trap '' TERM; sleep 600 & echo $! >" + pid + "; wait"})
			c := exec.Command(filepath.Join(pluginDir, "moat-cni"))
			for k, v := range o.env(n, nil) {
				c.Env = append(c.Env, k+"="+v)
			}
			c.Stdin = strings.NewReader(string(n.otherConf(nil)))
			require.NoError(t, c.Start())
			child := ""
			require.Eventually(t, func() bool {
				b, err := os.ReadFile(pid)
				child = strings.TrimSpace(string(b))
				return err == nil && bytes.HasSuffix(b, []byte("\n"))
			}, time.Minute, time.Millisecond)
			kill(t, n, c)
			require.Eventually(t, func() bool {
				b, err := os.ReadFile("/proc/" + child + "/stat")
				return err != nil || bytes.Contains(b, []byte(") Z "))
			}, time.Minute, time.Millisecond, "what the plugin had started is gone")
			require.Eventually(t, func() bool { return len(o.calls(t)) == 2 }, time.Minute, time.Millisecond)
			n.stop()
			require.Equal(t, []string{"ADD c1", "DEL c1"}, o.calls(t))
			n.nothingLeft(t)
		})
	}
}

// A daemon that was killed finds what it had begun, and undoes it.
func TestNextDaemonUndoesWhatWasBegun(t *testing.T) {
	n, o := newNode(t), newOther(t, nil)
	n.stop()
	at := ipam.Attachment{Node: "node-1", Network: "moat", ContainerID: "c1", IfName: "eth0"}
	env, failure := cniconf.ReadEnv(func(k string) string { return o.env(n, nil)[k] })
	require.Nil(t, failure)
	step := delegations.Step{Plugin: "other", IfName: "eth0", Config: n.otherConf(nil)}
	require.NoError(t, n.records.Put(delegations.Record{Attachment: at, Env: env, Steps: []delegations.Step{step}}))
	at.ContainerID, env.ContainerID = "c2", "c2"
	living := delegations.Record{Attachment: at, Env: env, Added: true, Steps: []delegations.Step{step}}
	require.NoError(t, n.records.Put(living))
	n.start(t)
	require.Eventually(t, func() bool { return len(n.service.detaches()) == 1 }, time.Minute, time.Millisecond)
	n.stop()
	require.Equal(t, []string{"DEL c1"}, o.calls(t))
	all, err := n.records.All()
	require.NoError(t, err)
	require.Equal(t, []delegations.Record{living}, all, "what is in place stays")

	require.NoError(t, n.agent.Abandoned(t.Context(), at))
	require.Equal(t, []string{"DEL c1", "DEL c2"}, o.calls(t))
	n.nothingLeft(t)
}

// An agent without a place for its notes delegates nothing.
func TestDelegationNeedsRecords(t *testing.T) {
	n, s := newNode(t), newService()
	reply := newAgent(t, s).Handle(t.Context(), protocol.Request{Caller: protocol.CallerCNI, Netns: openNetns(t),
		Env: cniconf.Env{Command: cniconf.Add, ContainerID: "c1", IfName: "eth0"}, Config: n.otherConf(nil)}, nil)
	require.NotNil(t, reply.Failure)
	require.Contains(t, reply.Failure.Msg, "delegates nothing")
	require.Zero(t, s.count())
}
