package agent_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"testing"

	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/tenant"
)

func TestAddPassesTheNamespaceAndTheRequest(t *testing.T) {
	n := newNode(t)
	a := plugin(t, "moat-cni", n.env(nil), n.conf(keys{
		"mtu": 1400, "routes": []keys{{"dst": "172.20.0.0/16"}}, "dns": keys{"nameservers": []string{"10.9.0.53"}},
		"capabilities": keys{"ips": true}, "runtimeConfig": keys{"ips": []string{"10.9.0.2/24"}, "mac": "02:00:00:00:00:02"}, "ipMasq": true, "cni.dev/x": 1,
	}))
	require.Zero(t, a.status, "%s", a.stdout)
	require.Empty(t, a.stderr)

	r, inode := n.service.request()
	var st unix.Stat_t
	require.NoError(t, unix.Stat(n.pod.Path(), &st))
	require.Equal(t, st.Ino, inode, "the descriptor is the pod's namespace")
	require.Error(t, r.Netns.Close(), "the agent closed it after the call")
	r.Netns = nil
	require.Equal(t, tenant.AttachRequest{
		Attachment: ipam.Attachment{Node: "node-1", Network: "moat", ContainerID: "c1", IfName: "eth0"},
		Pod:        tenant.Pod{Namespace: "blue", Name: "p1", UID: "u1"}, Tenant: "blue", NetnsPath: n.pod.Path(), NetnsInode: st.Ino, BootID: "boot", MTU: 1400,
		IPs: []netip.Addr{netip.MustParseAddr("10.9.0.2")}, IPsFrom: "runtimeConfig.ips", MAC: "02:00:00:00:00:02",
		Routes: []netip.Prefix{netip.MustParsePrefix("172.20.0.0/16")},
	}, r)

	var result types100.Result
	require.NoError(t, json.Unmarshal(a.stdout, &result))
	require.Equal(t, "1.1.0", result.CNIVersion)
	require.Len(t, result.Interfaces, 2)
	require.Equal(t, types100.Interface{Name: "moat00000000001", Mac: "02:00:00:00:00:01", Mtu: 1500, Sandbox: "/run/netns/moat-1"}, *result.Interfaces[0])
	require.Equal(t, types100.Interface{Name: "eth0", Mac: "02:00:00:00:00:02", Mtu: 1500, Sandbox: n.pod.Path()}, *result.Interfaces[1])
	require.Len(t, result.IPs, 1)
	require.Equal(t, 1, *result.IPs[0].Interface)
	require.Equal(t, "10.9.0.2/24", result.IPs[0].Address.String())
	require.Equal(t, "10.9.0.1", result.IPs[0].Gateway.String())
	require.Len(t, result.Routes, 2)
	require.Equal(t, []string{"10.9.0.53"}, result.DNS.Nameservers)
}

func TestTenantOfAPod(t *testing.T) {
	for name, test := range map[string]struct {
		args string
		conf keys
		want sdn.TenantID
	}{
		"namespace":             {"K8S_POD_NAME=p;K8S_POD_NAMESPACE=red;IgnoreUnknown=1;X=Y", keys{"tenant": "green"}, "red"},
		"no namespace":          {"IgnoreUnknown=1;K8S_POD_NAME=p1", nil, "default"},
		"no arguments":          {"", nil, "default"},
		"tenant of the network": {"IgnoreUnknown=true;K8S_POD_NAME=p1", keys{"tenant": "green"}, "green"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			a := plugin(t, "moat-cni", n.env(vars{"CNI_ARGS": test.args}), n.conf(test.conf))
			require.Zero(t, a.status, "%s", a.stdout)
			r, _ := n.service.request()
			require.Equal(t, test.want, r.Tenant)
		})
	}
}

func TestRepeatedAddAnswersTheSame(t *testing.T) {
	n := newNode(t)
	first := plugin(t, "moat-cni", n.env(nil), n.conf(nil))
	second := plugin(t, "moat-cni", n.env(nil), n.conf(nil))
	require.Zero(t, second.status)
	require.JSONEq(t, string(first.stdout), string(second.stdout))
}

func TestAddAfterAnotherPlugin(t *testing.T) {
	n := newNode(t)
	a := plugin(t, "moat-cni", n.env(vars{"CNI_IFNAME": "net1"}), n.conf(keys{"prevResult": keys{
		"cniVersion": "1.1.0", "interfaces": []keys{{"name": "eth0", "sandbox": n.pod.Path()}},
		"ips": []keys{{"address": "192.0.2.2/24", "interface": 0}},
	}}))
	require.Zero(t, a.status, "%s", a.stdout)
	var result types100.Result
	require.NoError(t, json.Unmarshal(a.stdout, &result))
	require.Len(t, result.Interfaces, 3)
	require.Equal(t, "eth0", result.Interfaces[0].Name)
	require.Equal(t, "net1", result.Interfaces[2].Name)
	require.Len(t, result.IPs, 2)
	require.Equal(t, 0, *result.IPs[0].Interface)
	require.Equal(t, 2, *result.IPs[1].Interface)
}

func TestDelWithoutNamespace(t *testing.T) {
	for name, path := range map[string]string{"empty": "", "vanished": "/run/netns/gone", "a file": os.DevNull, "the host's": "/proc/self/ns/net"} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			for range 2 {
				a := plugin(t, "moat-cni", n.env(vars{"CNI_COMMAND": "DEL", "CNI_NETNS": path}), n.conf(nil))
				require.Zero(t, a.status, "%s", a.stdout)
				require.Empty(t, a.stdout, "DEL prints nothing")
			}
			require.Len(t, n.service.detaches(), 2)
		})
	}
}

func TestGC(t *testing.T) {
	one := []keys{{"containerID": "c1", "ifname": "eth0"}}
	for name, test := range map[string]struct {
		conf keys
		want [][]ipam.Attachment
	}{
		"no list: nothing is done": {nil, nil},
		"null: nothing is done":    {keys{"cni.dev/valid-attachments": json.RawMessage("null")}, nil},
		"empty list":               {keys{"cni.dev/valid-attachments": []keys{}}, [][]ipam.Attachment{{}}},
		"list":                     {keys{"cni.dev/valid-attachments": one}, [][]ipam.Attachment{{{Node: "node-1", Network: "moat", ContainerID: "c1", IfName: "eth0"}}}},
		"older key":                {keys{"cni.dev/attachments": one}, [][]ipam.Attachment{{{Node: "node-1", Network: "moat", ContainerID: "c1", IfName: "eth0"}}}},
		"the right key goes first": {keys{"cni.dev/attachments": one, "cni.dev/valid-attachments": []keys{}}, [][]ipam.Attachment{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			a := plugin(t, "moat-cni", vars{"CNI_COMMAND": "GC", "CNI_PATH": pluginDir}, n.conf(test.conf))
			require.Zero(t, a.status, "%s", a.stdout)
			require.Empty(t, a.stdout)
			require.Equal(t, test.want, n.service.collections())
		})
	}
}

func TestStatusAndVersion(t *testing.T) {
	n := newNode(t)
	a := plugin(t, "moat-cni", vars{"CNI_COMMAND": "STATUS", "CNI_PATH": pluginDir}, n.conf(nil))
	require.Zero(t, a.status)
	require.Empty(t, a.stdout)
	for stdin, version := range map[string]string{`{"cniVersion":"0.4.0"}`: "0.4.0", "": "1.1.0", "x": "1.1.0"} {
		a = plugin(t, "moat-cni", vars{"CNI_COMMAND": "VERSION"}, []byte(stdin))
		require.Zero(t, a.status)
		require.JSONEq(t, fmt.Sprintf(`{"cniVersion":%q,"supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}`, version), string(a.stdout))
	}
}

func TestManyCallsAtOnce(t *testing.T) {
	const calls = 32
	n := newNode(t)
	answers := make(chan answer, calls)
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			answers <- plugin(t, "moat-cni", n.env(vars{"CNI_CONTAINERID": fmt.Sprint("c", i)}), n.conf(nil))
		})
	}
	wg.Wait()
	close(answers)
	for a := range answers {
		require.Zero(t, a.status, "%s", a.stdout)
	}
	require.Equal(t, calls, n.service.count())
	require.Empty(t, n.service.detaches())
}
