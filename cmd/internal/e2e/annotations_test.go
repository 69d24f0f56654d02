package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8stypes "k8s.io/apimachinery/pkg/types"

	"github.com/moatnet/moat/cmd/internal/kubetest"
	"github.com/moatnet/moat/cmd/internal/lab"
)

const apiServer = "127.0.0.1:6443"

// kubernetes is a stand-in for an API server on a host, whose own pods it makes.
type kubernetes struct {
	*kubetest.Server
	n    *node
	http *http.Server
	pods int // so far
}

// newKubernetes makes a host with an API server and starts the daemon there.
func newKubernetes(t *testing.T) *kubernetes {
	k := kubernetesOn(newHost(t))
	file := filepath.Join(k.n.lab.Dir, "moat.yaml")
	conf := fmt.Sprintf(`{node: node1, kubernetes: {server: "http://%s"}, tenants: {blue: {dns: {nameservers: [10.96.0.9]}}}}`, apiServer)
	require.NoError(t, os.WriteFile(file, []byte(conf), 0o600))
	k.n.start("--config", file)
	return k
}

// kubernetesOn starts an API server on a host.
func kubernetesOn(n *node) *kubernetes {
	k := &kubernetes{Server: kubetest.New(), n: n}
	for _, name := range []string{"blue", "red"} {
		k.PutNamespace(metav1.ObjectMeta{Name: name})
	}
	k.up()
	n.t.Cleanup(k.down)
	return k
}

func (k *kubernetes) up() {
	var l net.Listener
	require.NoError(k.n.t, k.n.host.Do(func() (err error) {
		l, err = net.Listen("tcp", apiServer)
		return err
	}))
	k.http = &http.Server{Handler: k.Server}
	go func() { _ = k.http.Serve(l) }() // it ends with down
}

func (k *kubernetes) down() { require.NoError(k.n.t, k.http.Close()) }

// pod is a pod of the API server and, not attached yet, of the runtime.
func (k *kubernetes) pod(namespace, name string, annotations map[string]string, owner ...metav1.OwnerReference) *lab.Pod {
	k.n.t.Helper()
	k.pods++
	p, err := k.n.lab.NewPod(namespace, fmt.Sprintf("%s-%d", name, k.pods)) // rebuilt ones have their name again
	require.NoError(k.n.t, err)
	uid := ""
	for i, a := range p.Args.Args {
		switch a[0] {
		case "K8S_POD_NAME":
			p.Args.Args[i][1] = name
		case "K8S_POD_UID":
			uid = a[1]
		}
	}
	k.PutPod("node1", metav1.ObjectMeta{Namespace: namespace, Name: name, UID: k8stypes.UID(uid), Annotations: annotations, OwnerReferences: owner})
	return p
}

func (k *kubernetes) add(p *lab.Pod) {
	k.n.t.Helper()
	require.NoError(k.n.t, k.n.rt.Add(k.n.t.Context(), p))
}

// remove deletes a pod as kubelet and runtime do.
func (k *kubernetes) remove(p *lab.Pod, namespace, name string) {
	k.n.t.Helper()
	k.DeletePod(namespace, name)
	require.NoError(k.n.t, k.n.rt.Del(k.n.t.Context(), p))
}

// refusal is the error of an ADD, after which the runtime cleans up.
func (k *kubernetes) refusal(rt *lab.Runtime, p *lab.Pod) *types.Error {
	k.n.t.Helper()
	var e *types.Error
	require.ErrorAs(k.n.t, rt.Add(k.n.t.Context(), p), &e)
	require.NoError(k.n.t, rt.Del(k.n.t.Context(), p))
	return e
}

type notes = map[string]string

// TestAnnotationsReachThePod has pods ask for addresses by their annotations.
func TestAnnotationsReachThePod(t *testing.T) {
	k := newKubernetes(t)
	plain := k.pod("blue", "plain", nil)
	k.add(plain)
	require.Equal(t, []string{"10.96.0.9"}, plain.Result.DNS.Nameservers, "the tenant's")
	fixed := netip.PrefixFrom(plain.Address, 22).Masked().Addr()
	for range 77 {
		fixed = fixed.Next()
	}
	web := k.pod("blue", "web", notes{"moat.dev/ip": fixed.String() + "/22", "moat.dev/mac": "02:00:00:00:00:77",
		"moat.dev/gateway": plain.Address.String(), "moat.dev/dns": `{"nameservers":["10.96.0.10"]}`})
	k.add(web)
	require.Equal(t, fixed, web.Address)
	require.Equal(t, plain.Address, web.Gateway)
	require.Equal(t, []string{"10.96.0.10"}, web.Result.DNS.Nameservers)
	require.NoError(t, web.Do(func() error {
		eth0, err := net.InterfaceByName("eth0")
		require.NoError(t, err)
		require.Equal(t, "02:00:00:00:00:77", eth0.HardwareAddr.String())
		addresses, err := eth0.Addrs()
		require.NoError(t, err)
		require.Equal(t, fixed.String()+"/22", addresses[0].String())
		return nil
	}))
	require.NoError(t, lab.Ping(plain.Namespace, fixed, answered))
	require.NoError(t, k.n.rt.Check(t.Context(), web))

	e := k.refusal(k.n.rt, k.pod("blue", "copy", notes{"moat.dev/ip": fixed.String()}))
	require.EqualValues(t, 103, e.Code)
	require.Contains(t, e.Msg, "pod blue/web")
	require.Contains(t, e.Msg, fixed.String())
	e = k.refusal(k.n.rt, k.pod("blue", "wrong", notes{"moat.dev/ip": "10.0.0"}))
	require.EqualValues(t, 7, e.Code)
	require.Contains(t, e.Msg, `annotation moat.dev/ip "10.0.0"`)
	e = k.refusal(k.n.rt, k.pod("blue", "far", notes{"kube-ipam.ip": "192.0.2.77"}))
	require.EqualValues(t, 7, e.Code)
	require.Contains(t, e.Msg, "annotation kube-ipam.ip: requested address 192.0.2.77 is in none of the tenant's subnets")
	e = k.refusal(k.n.rt, k.pod("blue", "mask", notes{"moat.dev/ip": fixed.Next().String() + "/24"}))
	require.EqualValues(t, 7, e.Code)
	require.Contains(t, e.Msg, "annotation moat.dev/ip")
	require.NoError(t, lab.Ping(plain.Namespace, fixed, answered), "whoever was refused took nothing")
}

// TestStickyPodHasItsAddressAgain rebuilds pods of a StatefulSet and of a
// Deployment while others take what is free.
func TestStickyPodHasItsAddressAgain(t *testing.T) {
	k := newKubernetes(t)
	yes := true
	set := metav1.OwnerReference{Kind: "StatefulSet", Name: "db", Controller: &yes}
	sticky := notes{"moat.dev/sticky": "true", "moat.dev/sticky-for": "1h"}
	first := k.pod("blue", "db-0", sticky, set)
	k.add(first)
	early := k.pod("blue", "db-0", sticky, set)
	e := k.refusal(k.n.rt, early)
	require.EqualValues(t, 103, e.Code, "the one before is not gone yet")
	require.Contains(t, e.Msg, first.Address.String())
	k.remove(first, "blue", "db-0")
	for _, name := range []string{"a", "b", "c"} {
		other := k.pod("blue", name, nil)
		k.add(other)
		require.NotEqual(t, first.Address, other.Address)
	}
	thief := k.pod("blue", "thief", notes{"moat.dev/ip": first.Address.String()})
	e = k.refusal(k.n.rt, thief)
	require.EqualValues(t, 103, e.Code)
	require.Contains(t, e.Msg, "blue/db-0", "whose it is")
	again := k.pod("blue", "db-0", sticky, set)
	k.add(again)
	require.Equal(t, first.Address, again.Address)

	replicas := metav1.OwnerReference{Kind: "ReplicaSet", Name: "web", Controller: &yes}
	old := []*lab.Pod{k.pod("blue", "web-x2vlq", sticky, replicas), k.pod("blue", "web-b7nzk", sticky, replicas)}
	for _, p := range old {
		k.add(p)
	}
	k.remove(old[0], "blue", "web-x2vlq")
	k.remove(old[1], "blue", "web-b7nzk")
	k.add(k.pod("blue", "d", nil))
	rebuilt := []*lab.Pod{k.pod("blue", "web-8ghcw", sticky, replicas), k.pod("blue", "web-tqk44", sticky, replicas)}
	for _, p := range rebuilt {
		k.add(p)
	}
	require.ElementsMatch(t, []netip.Addr{old[0].Address, old[1].Address}, []netip.Addr{rebuilt[0].Address, rebuilt[1].Address})
	more := k.pod("blue", "web-zzzzz", sticky, replicas)
	k.add(more)
	require.NotContains(t, []netip.Addr{rebuilt[0].Address, rebuilt[1].Address}, more.Address, "replicas share the kept ones, and no address")
}

func TestWithoutTheAPIServerNoPodGetsAnAddressThatItMayNotWant(t *testing.T) {
	k := newKubernetes(t)
	known := k.pod("blue", "known", nil)
	k.add(known)
	k.down() // first, so that the watch cannot bring the next one
	late := k.pod("red", "late", nil)
	e := k.refusal(k.n.rt, late)
	require.EqualValues(t, 11, e.Code)
	require.Contains(t, e.Msg, "pod red/late")
	require.Contains(t, e.Msg, "read the pod's annotations")
	require.NoError(t, k.n.rt.Check(t.Context(), known))
	require.NoError(t, k.n.rt.Del(t.Context(), known))
	k.up()
	back := k.pod("red", "back", nil)
	k.add(back)
}

// TestAnnotationsWithoutADaemon has the plugin's own process ask the API server.
func TestAnnotationsWithoutADaemon(t *testing.T) {
	n, etcd := newNodeOverEtcd(t)
	k := kubernetesOn(n)
	credentials := filepath.Join(n.lab.Dir, "credentials.yaml")
	require.NoError(t, os.WriteFile(credentials, fmt.Appendf(nil,
		"dataDir: %s\nhostID: %s\nnode: alone\nkubernetes: {server: \"http://%s\"}\netcd: {endpoints: [%s]}\nendpoint: {urls: [http://%s/midonet-api], passwordFile: %s}\n",
		filepath.Join(n.lab.Dir, "alone"), hostIDOf(t, n.daemon), apiServer, etcd, listen, filepath.Join(n.daemon.DataDir(), "admin.password")), 0o600))
	conf := n.entry("1.1.0", map[string]any{"standalone": true, "credentials": credentials})
	p, err := n.lab.NewPod("blue", "web")
	require.NoError(t, err)
	k.PutPod("elsewhere", metav1.ObjectMeta{Namespace: "blue", Name: p.Name, Annotations: notes{"moat.dev/mac": "02:00:00:00:00:77"}})
	out, err := n.plugin(conf, callEnv("ADD", p))
	require.NoError(t, err, out)
	require.Contains(t, out, `"mac":"02:00:00:00:00:77"`)
	k.down()
	late, err := n.lab.NewPod("blue", "late")
	require.NoError(t, err)
	e := n.refused(conf, callEnv("ADD", late))
	require.Equal(t, 11, e.Code)
	require.Contains(t, e.Msg, "read the pod's annotations")
	out, err = n.plugin(conf, callEnv("DEL", p))
	require.NoError(t, err, out)
}

// TestAnnotationsReachPoolsOfOtherPlugins has the reference bridge plugin get a
// fixed address of a pool.
func TestAnnotationsReachPoolsOfOtherPlugins(t *testing.T) {
	buildReference(t, "main/bridge")
	k := newKubernetes(t)
	t.Cleanup(func() { require.NoError(t, k.n.host.CutLink("lab0")) })
	rt := k.n.others("beside", mainPlugins["bridge"], `[[{"subnet":"10.77.0.0/24"}]]`)
	web := k.pod("blue", "web", notes{"moat.dev/ip": "10.77.0.77/24", "moat.dev/sticky": "true"})
	require.NoError(t, rt.Add(t.Context(), web))
	t.Cleanup(func() { require.NoError(t, rt.Del(context.Background(), web)) })
	require.Equal(t, "10.77.0.77", web.Address.String())
	require.NoError(t, lab.Ping(web.Namespace, web.Gateway, answered))
	copied := k.pod("blue", "copy", notes{"cni.projectcalico.org/ipAddrs": `["10.77.0.77"]`})
	e := k.refusal(rt, copied)
	require.EqualValues(t, 103, e.Code)
	require.Contains(t, e.Msg, "pod blue/web")
	require.Contains(t, e.Msg, "annotation cni.projectcalico.org/ipAddrs")
}
