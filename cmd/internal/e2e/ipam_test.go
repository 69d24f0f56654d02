package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// mainPlugins are the reference plugins that have moat-ipam make their addresses.
var mainPlugins = map[string]string{
	"bridge":  `"type":"bridge","bridge":"lab0","isGateway":true`,
	"macvlan": `"type":"macvlan","master":"eth0"`,
	"ptp":     `"type":"ptp"`,
}

// others is a runtime for a network of another main plugin on the node.
func (n *node) others(name, plugin, ranges string) *lab.Runtime {
	n.t.Helper()
	return n.othersIn("1.1.0", name, plugin, ranges)
}

func (n *node) othersIn(version, name, plugin, ranges string) *lab.Runtime {
	n.t.Helper()
	file := filepath.Join(n.lab.Dir, name+".conflist")
	conf := fmt.Sprintf(`{"cniVersion":%q,"name":%q,"plugins":[{%s,"ipam":{"type":"moat-ipam","socket":%q,"coolDown":"0","ranges":%s}}]}`,
		version, name, plugin, n.daemon.Socket(), ranges)
	require.NoError(n.t, os.WriteFile(file, []byte(conf), 0o600))
	rt, err := lab.NewRuntime(file, bin, filepath.Join(n.lab.Dir, "cache-"+name), n.host)
	require.NoError(n.t, err)
	return rt
}

func (n *node) podOf(rt *lab.Runtime, name string) *lab.Pod {
	n.t.Helper()
	p, err := n.lab.NewPod("blue", name)
	require.NoError(n.t, err)
	require.NoError(n.t, rt.Add(n.t.Context(), p))
	return p
}

// TestMainPluginsOfOthers has the reference plugins lease from Moat's pools.
func TestMainPluginsOfOthers(t *testing.T) {
	buildReference(t, "main/bridge", "main/macvlan", "main/ptp")
	n := newNode(t)
	t.Cleanup(func() { require.NoError(t, n.host.CutLink("lab0")) })
	i := 0
	for name, plugin := range mainPlugins {
		i++
		t.Run(name, func(t *testing.T) {
			ranges, addresses := fmt.Sprintf(`[[{"subnet":"10.77.%d.0/24","rangeEnd":"10.77.%d.4"}]]`, i, i), 1
			if name == "bridge" { // the others wait 2 s for IPv6
				ranges, addresses = strings.TrimSuffix(ranges, "]")+`,[{"subnet":"fd77::/64"}]]`, 2
			}
			rt := n.others(name, plugin, ranges)
			ctx := t.Context()
			var pods []*lab.Pod
			seen := map[string]bool{}
			for k := range 3 {
				p := n.podOf(rt, fmt.Sprintf("%s%d", name, k))
				require.Len(t, p.Result.IPs, addresses)
				require.False(t, seen[p.Address.String()], "%s is leased twice", p.Address)
				seen[p.Address.String()] = true
				require.NoError(t, rt.Check(ctx, p))
				t.Cleanup(func() { require.NoError(t, rt.Del(context.Background(), p)) })
				pods = append(pods, p)
			}
			peer := pods[0].Gateway
			if name == "macvlan" { // its gateway is nobody's here
				peer = pods[1].Address
			}
			require.NoError(t, lab.Ping(pods[0].Namespace, peer, answered))
			extra, err := n.lab.NewPod("blue", name+"-extra")
			require.NoError(t, err)
			var full *types.Error
			require.ErrorAs(t, rt.Add(ctx, extra), &full)
			require.EqualValues(t, 102, full.Code)
			require.Contains(t, full.Msg, "pool "+name)
			require.NoError(t, rt.Del(ctx, extra), "as runtimes do after a failed ADD")
			require.NoError(t, rt.Del(ctx, pods[2]))
			require.NoError(t, rt.Del(ctx, pods[2]), "repeated")
			require.NoError(t, rt.Add(ctx, extra))
			require.Equal(t, pods[2].Address, extra.Address)

			keep := []types.GCAttachment{{ContainerID: extra.ID, IfName: "eth0"}}
			require.NoError(t, n.host.Do(func() error {
				return rt.CNI.GCNetworkList(ctx, rt.List, &libcni.GCArgs{ValidAttachments: keep})
			}))
			after := n.podOf(rt, name+"-after-gc")
			require.NoError(t, rt.Del(ctx, after))
			require.NoError(t, rt.Del(ctx, extra))
		})
	}
}
