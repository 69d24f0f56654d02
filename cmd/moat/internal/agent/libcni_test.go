package agent_test

import (
	"encoding/json"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/tenant"
)

// A runtime's own library drives the built plugin through a pod's whole life, in
// each version of the specification.
func TestLifeThroughLibcni(t *testing.T) {
	for _, version := range []string{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"} {
		t.Run(version, func(t *testing.T) {
			n := newNode(t)
			ctx := t.Context()
			list, err := json.Marshal(keys{"cniVersion": version, "name": "moat", "plugins": []keys{
				{"type": "moat-cni", "socket": n.socket, "dns": keys{"nameservers": []string{"10.9.0.53"}}}}})
			require.NoError(t, err)
			conf, err := libcni.ConfListFromBytes(list)
			require.NoError(t, err)
			cni := libcni.NewCNIConfigWithCacheDir([]string{pluginDir}, t.TempDir(), nil)
			pod := &libcni.RuntimeConf{ContainerID: "c1", NetNS: n.pod.Path(), IfName: "eth0",
				Args: [][2]string{{"IgnoreUnknown", "1"}, {"K8S_POD_NAMESPACE", "blue"}, {"K8S_POD_NAME", "p1"}}}

			_, err = cni.ValidateNetworkList(ctx, conf)
			require.NoError(t, err)
			printed, err := cni.AddNetworkList(ctx, conf, pod)
			require.NoError(t, err)
			result, err := types100.NewResultFromResult(printed)
			require.NoError(t, err)
			require.Equal(t, "10.9.0.2/24", result.IPs[0].Address.String())
			require.Equal(t, 1, *result.IPs[0].Interface)
			require.Equal(t, n.pod.Path(), result.Interfaces[1].Sandbox)
			require.Equal(t, "0.0.0.0/0", result.Routes[0].Dst.String())
			require.Equal(t, []string{"10.9.0.53"}, result.DNS.Nameservers)

			if version != "0.3.0" && version != "0.3.1" {
				require.NoError(t, cni.CheckNetworkList(ctx, conf, pod))
				want := n.service.checks()[0]
				require.Equal(t, "02:00:00:00:00:02", want.Pod.MAC)
				require.Equal(t, gateway, want.Gateway)
				require.Equal(t, "10.9.0.2/24", want.Addresses[0].String())
				require.Equal(t, "moat00000000001", want.Host.Name)
				require.Equal(t, "0.0.0.0/0", want.Routes[0].String())
			}
			if version == "1.1.0" {
				require.NoError(t, cni.GetStatusNetworkList(ctx, conf))
				require.NoError(t, cni.GCNetworkList(ctx, conf, &libcni.GCArgs{
					ValidAttachments: []types.GCAttachment{{ContainerID: "c1", IfName: "eth0"}}}))
				require.Len(t, n.service.collections(), 1)
				require.Equal(t, "c1", n.service.collections()[0][0].ContainerID)
			}
			require.NoError(t, cni.DelNetworkList(ctx, conf, pod))
			require.NoError(t, cni.DelNetworkList(ctx, conf, pod))
			require.Len(t, n.service.detaches(), 2)
		})
	}
}

// The words of an error reach the runtime as they are.
func TestErrorsThroughLibcni(t *testing.T) {
	n := newNode(t)
	n.service.failWith(&tenant.Error{Code: tenant.CodeInterfaceUsed, Msg: "pod blue/p1: eth0 is taken", Details: "remove it"})
	conf, err := libcni.NetworkPluginConfFromBytes(n.conf(nil))
	require.NoError(t, err)
	cni := libcni.NewCNIConfigWithCacheDir([]string{pluginDir}, t.TempDir(), nil)
	_, err = cni.AddNetwork(t.Context(), conf, &libcni.RuntimeConf{ContainerID: "c1", NetNS: n.pod.Path(), IfName: "eth0"})
	var e *types.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, types.Error{Code: 105, Msg: "pod blue/p1: eth0 is taken", Details: "remove it"}, *e)
}
