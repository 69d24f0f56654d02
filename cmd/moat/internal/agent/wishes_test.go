package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/wishes"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

type notes = map[string]string

// cluster answers with one pod, whoever is asked for, and counts.
type cluster struct {
	mu    sync.Mutex
	asked []string
	pod   wishes.Pod
	fail  error
}

func (c *cluster) Pod(_ context.Context, namespace, name, uid string) (wishes.Pod, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, namespace+"/"+name+"/"+uid)
	p := c.pod
	p.Namespace, p.Name, p.UID = namespace, name, uid
	return p, c.fail
}

// NodePods implements holdings.Cluster.
func (c *cluster) NodePods(context.Context) (map[string]bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return nil, c.fail
}

// say sets the annotations of the pods to come.
func (c *cluster) say(a notes) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pod.Annotations = a
}

// breaks has the cluster answer with err from now on.
func (c *cluster) breaks(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = err
}

func (c *cluster) questions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// newAnnotated is a node with a cluster whose pods say a.
func newAnnotated(t *testing.T, a notes, options ...func(*agent.Options)) (*node, *cluster) {
	c := &cluster{pod: wishes.Pod{Annotations: a}}
	return newNode(t, append(options, func(o *agent.Options) { o.Cluster, o.StickyFor = c, time.Hour })...), c
}

func addrs(s ...string) (all []netip.Addr) {
	for _, a := range s {
		all = append(all, netip.MustParseAddr(a))
	}
	return all
}

func TestAnnotationsThatCannotBeReadOrUsedRefuseThePod(t *testing.T) {
	n, c := newAnnotated(t, nil)
	section := ranges("10.7.0.0/24")
	for _, caller := range []struct {
		plugin string
		conf   []byte
	}{{"moat-cni", n.conf(nil)}, {"moat-ipam", n.ipamConf(section, nil)}} {
		c.breaks(errors.New("pod blue/p1: the Kubernetes API server does not answer"))
		e := plugin(t, caller.plugin, n.env(nil), caller.conf).failure(t)
		require.EqualValues(t, 11, e.Code)
		require.Contains(t, e.Msg, "does not answer")
		require.Contains(t, e.Details, "configuration key kubernetes")
		c.breaks(nil)
		c.say(notes{"moat.dev/ip": "ten"})
		e = plugin(t, caller.plugin, n.env(nil), caller.conf).failure(t)
		require.EqualValues(t, 7, e.Code)
		require.Contains(t, e.Msg, `annotation moat.dev/ip "ten"`)
		require.Contains(t, e.Msg, "pod blue/p1")
		c.say(nil)
	}
	require.Zero(t, n.service.count())
	require.Empty(t, n.holdings(t))
}

func TestOnlyAddOfAPodOfKubernetesAsksTheCluster(t *testing.T) {
	n, c := newAnnotated(t, nil)
	c.breaks(errors.New("away"))
	added := plugin(t, "moat-cni", n.env(vars{"CNI_ARGS": "IgnoreUnknown=1"}), n.conf(nil))
	require.Zero(t, added.status, "%s", added.stdout)
	require.Zero(t, plugin(t, "moat-cni", n.env(vars{"CNI_ARGS": "K8S_POD_NAME=p1"}), n.conf(nil)).status, "no namespace, no pod of Kubernetes'")
	for _, command := range []string{"CHECK", "DEL", "GC", "STATUS"} {
		a := plugin(t, "moat-cni", n.env(vars{"CNI_COMMAND": command}), n.conf(keys{"prevResult": json.RawMessage(added.stdout), "cni.dev/valid-attachments": []any{}}))
		require.Zero(t, a.status, "%s: %s", command, a.stdout)
	}
	require.Zero(t, plugin(t, "moat-ipam", n.env(vars{"CNI_COMMAND": "DEL"}), n.ipamConf(ranges("10.7.0.0/24"), nil)).status)
	require.Empty(t, c.questions())
	c.breaks(nil)
	require.Zero(t, plugin(t, "moat-cni", n.env(nil), n.conf(nil)).status)
	require.Equal(t, []string{"blue/p1/u1"}, c.questions())
}

func TestAnnotationsReachTheRequest(t *testing.T) {
	n, c := newAnnotated(t, notes{"moat.dev/ip": "10.9.0.7/24", "moat.dev/mac": "02:00:00:00:00:0A", "moat.dev/gateway": "10.9.0.9",
		"moat.dev/sticky": "true", "moat.dev/dns": `{"nameservers":["10.9.0.53"]}`})
	a := plugin(t, "moat-cni", n.env(nil), n.conf(nil))
	require.Zero(t, a.status, "%s", a.stdout)
	r, _ := n.service.request()
	require.Equal(t, addrs("10.9.0.7"), r.IPs)
	require.Equal(t, 24, r.SubnetBits)
	require.Equal(t, "annotation moat.dev/ip", r.IPsFrom)
	require.Equal(t, "02:00:00:00:00:0a", r.MAC)
	require.Equal(t, netip.MustParseAddr("10.9.0.9"), r.Gateway)
	require.Equal(t, "annotation moat.dev/gateway", r.GatewayFrom)
	require.Equal(t, &ipam.Sticky{Identity: "blue/p1", For: time.Hour}, r.Sticky)
	require.Equal(t, []string{"10.9.0.53"}, a.result(t).DNS.Nameservers)

	c.say(notes{"moat.dev/ip": "10.9.0.7/24", "moat.dev/mac": "02:00:00:00:00:0a", "moat.dev/gateway": "10.9.0.9"})
	for _, asked := range []struct {
		args string
		conf keys
		ip   string
	}{
		{"IgnoreUnknown=1;K8S_POD_NAMESPACE=blue;K8S_POD_NAME=p1", keys{"runtimeConfig": keys{"ips": []string{"10.9.0.4"}, "mac": "02:00:00:00:00:0c"}, "args": keys{"cni": keys{"ips": []string{"10.9.0.5"}}}}, "10.9.0.4"},
		{"IgnoreUnknown=1;K8S_POD_NAMESPACE=blue;K8S_POD_NAME=p1;IP=10.9.0.6", keys{"args": keys{"cni": keys{"ips": []string{"10.9.0.5"}, "mac": "02:00:00:00:00:0c"}}}, "10.9.0.5"},
		{"K8S_POD_NAMESPACE=blue;K8S_POD_NAME=p1;IP=10.9.0.6;GATEWAY=10.9.0.8;MAC=02:00:00:00:00:0c", nil, "10.9.0.6"},
	} {
		a := plugin(t, "moat-cni", n.env(vars{"CNI_ARGS": asked.args}), n.conf(asked.conf))
		require.Zero(t, a.status, "%s", a.stdout)
		r, _ := n.service.request()
		require.Equal(t, addrs(asked.ip), r.IPs)
		require.Zero(t, r.SubnetBits, "the annotation's length is not said of another's address")
		require.Equal(t, "02:00:00:00:00:0c", r.MAC)
		if asked.conf == nil {
			require.Equal(t, netip.MustParseAddr("10.9.0.8"), r.Gateway)
			require.Equal(t, "CNI_ARGS GATEWAY", r.GatewayFrom)
		}
	}
	e := plugin(t, "moat-cni", n.env(vars{"CNI_ARGS": "GATEWAY=ten"}), n.conf(nil)).failure(t)
	require.EqualValues(t, 4, e.Code)
	require.Contains(t, e.Msg, `GATEWAY "ten"`)
}

func TestDNSOfPodThenTenantThenNetwork(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	require.NoError(t, os.WriteFile(file, []byte("nameserver 10.0.0.1\nsearch network.example\n"), 0o600))
	var mu sync.Mutex
	var ofTenant types.DNS
	var fileOfTenant string
	tenants := func(o *agent.Options) {
		o.DNS = func(id sdn.TenantID) (*types.DNS, string) {
			mu.Lock()
			defer mu.Unlock()
			if id != "blue" {
				return nil, "/not/of/" + string(id)
			}
			d := ofTenant
			return &d, fileOfTenant
		}
	}
	ofTheTenant := func(d types.DNS, file string) {
		mu.Lock()
		defer mu.Unlock()
		ofTenant, fileOfTenant = d, file
	}
	n, c := newAnnotated(t, nil, tenants)
	section := ranges("10.7.0.0/24")
	section["resolvConf"] = file
	of := func() (all []types.DNS) {
		for _, a := range []answer{
			plugin(t, "moat-cni", n.env(nil), n.conf(keys{"resolvConf": file})),
			plugin(t, "moat-ipam", n.env(nil), n.ipamConf(section, nil)),
		} {
			require.Zero(t, a.status, "%s", a.stdout)
			all = append(all, a.result(t).DNS)
		}
		return all
	}
	both := func(d types.DNS) []types.DNS { return []types.DNS{d, d} }
	require.Equal(t, both(types.DNS{Nameservers: []string{"10.0.0.1"}, Search: []string{"network.example"}}), of())
	ofTheTenant(types.DNS{Nameservers: []string{"10.0.0.2"}}, "")
	require.Equal(t, both(types.DNS{Nameservers: []string{"10.0.0.2"}}), of(), "the whole object replaces")
	ofTheTenant(types.DNS{}, file)
	require.Equal(t, both(types.DNS{Nameservers: []string{"10.0.0.1"}, Search: []string{"network.example"}}), of())
	c.say(notes{"moat.dev/dns": `{"nameservers":["10.0.0.3"]}`})
	require.Equal(t, both(types.DNS{Nameservers: []string{"10.0.0.3"}}), of())
	c.say(notes{"moat.dev/dns": "{}"})
	require.Equal(t, both(types.DNS{}), of(), "a pod may want none")

	c.say(nil)
	ofTheTenant(types.DNS{}, "/no/such/file")
	e := plugin(t, "moat-cni", n.env(nil), n.conf(nil)).failure(t)
	require.EqualValues(t, 7, e.Code)
	require.Contains(t, e.Msg, "tenants.blue.resolvConf")
	ofTheTenant(types.DNS{}, "")
	for _, conf := range []keys{{"resolvConf": "relative"}, {"resolvConf": "/no/such/file"}, {"resolvConf": t.TempDir()}} {
		e := plugin(t, "moat-cni", n.env(nil), n.conf(conf)).failure(t)
		require.EqualValues(t, 7, e.Code)
		require.Contains(t, e.Msg, "resolvConf")
	}
}

func TestAnnotationsForAPool(t *testing.T) {
	n, c := newAnnotated(t, notes{"moat.dev/ip": "10.7.0.9/24, fd07::9/64", "moat.dev/gateway": "10.7.0.250", "moat.dev/sticky": "true"})
	section := ranges("10.7.0.0/24", "fd07::/64")
	a := plugin(t, "moat-ipam", n.env(nil), n.ipamConf(section, nil))
	require.Zero(t, a.status, "%s", a.stdout)
	r := a.result(t)
	require.Equal(t, "10.7.0.9/24", r.IPs[0].Address.String())
	require.Equal(t, "10.7.0.250", r.IPs[0].Gateway.String())
	require.Equal(t, "fd07::9/64", r.IPs[1].Address.String())
	require.Equal(t, "fd07::1", r.IPs[1].Gateway.String(), "the gateway is of the other family")
	require.Equal(t, &ipam.Sticky{Identity: "blue/p1", For: time.Hour}, n.holdings(t)[0].Sticky)
	require.Equal(t, a.stdout, plugin(t, "moat-ipam", n.env(nil), n.ipamConf(section, nil)).stdout, "repeated")

	other := vars{"CNI_CONTAINERID": "c2", "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=blue;K8S_POD_NAME=p2"}
	for name, wrong := range map[string]struct {
		say  notes
		args string
		code uint
		has  []string
	}{
		"held":            {notes{"moat.dev/ip": "10.7.0.9"}, "", 103, []string{"annotation moat.dev/ip", "10.7.0.9", "pod blue/p1"}},
		"outside":         {notes{"moat.dev/ip": "10.8.0.9"}, "", 7, []string{"annotation moat.dev/ip", "10.8.0.9", "pool lab"}},
		"another length":  {notes{"moat.dev/ip": "10.7.0.10/16"}, "", 7, []string{"annotation moat.dev/ip", "10.7.0.10/16", "10.7.0.0/24"}},
		"older mask":      {notes{"kube-ipam.ip": "10.7.0.10", "kube-ipam.netmask": "255.255.0.0"}, "", 7, []string{"annotation kube-ipam.ip", "10.7.0.0/24"}},
		"gateway outside": {notes{"moat.dev/gateway": "10.8.0.1"}, "", 7, []string{"annotation moat.dev/gateway", "10.8.0.1", "in no subnet"}},
		"own gateway":     {notes{"moat.dev/ip": "10.7.0.10", "moat.dev/gateway": "10.7.0.10"}, "", 7, []string{"annotation moat.dev/gateway", "10.7.0.10"}},
		"gateway of args": {nil, ";GATEWAY=10.8.0.1", 7, []string{"10.8.0.1", "in no subnet"}},
		"a MAC":           {notes{"moat.dev/mac": "02:00:00:00:00:01"}, "", 7, []string{"MAC", "main plugin"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.say(wrong.say)
			env := n.env(other)
			env["CNI_ARGS"] += wrong.args
			e := plugin(t, "moat-ipam", env, n.ipamConf(section, nil)).failure(t)
			require.EqualValues(t, wrong.code, e.Code, "%s", e.Msg)
			for _, s := range wrong.has {
				require.Contains(t, e.Msg, s)
			}
			require.Len(t, n.holdings(t), 1, "nothing half taken")
		})
	}
	c.say(notes{"moat.dev/gateway": "10.8.0.1"})
	e := plugin(t, "moat-ipam", n.env(nil), n.ipamConf(section, nil)).failure(t)
	require.EqualValues(t, 7, e.Code)
	require.Len(t, n.holdings(t), 1, "a repeated ADD that fails takes nothing from a pod that lives")
	c.say(notes{"moat.dev/ip": "10.7.0.10"})
	a = plugin(t, "moat-ipam", n.env(vars{"CNI_CONTAINERID": "c2", "CNI_ARGS": other["CNI_ARGS"] + ";IP=10.7.0.11"}), n.ipamConf(section, nil))
	require.Zero(t, a.status, "%s", a.stdout)
	require.Equal(t, "10.7.0.11/24", a.result(t).IPs[0].Address.String(), "what the runtime asks for comes first")
}

func (a answer) result(t *testing.T) types100.Result {
	t.Helper()
	var r types100.Result
	require.NoError(t, json.Unmarshal(a.stdout, &r))
	return r
}
