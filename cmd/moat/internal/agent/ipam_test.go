package agent_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/netns"
)

// ipamConf is a network configuration of another main plugin.
func (n *node) ipamConf(section, beside keys) []byte {
	all := keys{"type": "moat-ipam", "socket": n.socket}
	for k, v := range section {
		all[k] = v
	}
	conf := keys{"cniVersion": "1.0.0", "name": "lab", "type": "macvlan", "socket": nil, "master": "eth9", "ipam": all}
	for k, v := range beside {
		conf[k] = v
	}
	return n.conf(conf)
}

func ranges(subnets ...string) keys {
	var sets []any
	for _, s := range subnets {
		sets = append(sets, []any{keys{"subnet": s}})
	}
	return keys{"ranges": sets}
}

func (n *node) holdings(t *testing.T) []ipam.Holding {
	t.Helper()
	hs, err := n.pools.Holdings(t.Context(), "node-1", "")
	require.NoError(t, err)
	return hs
}

func TestIPAMLeasesAndGivesBack(t *testing.T) {
	n := newNode(t)
	file := filepath.Join(t.TempDir(), "resolv.conf")
	require.NoError(t, os.WriteFile(file, []byte("nameserver 10.0.0.53\nsearch a.example b.example\noptions ndots:2\n"), 0o600))
	section := ranges("10.7.0.0/24", "fd07::/64")
	section["routes"] = []any{keys{"dst": "0.0.0.0/0"}, keys{"dst": "fd00::/8", "gw": "fd07::9"}}
	section["resolvConf"] = file
	conf := n.ipamConf(section, nil)
	first := plugin(t, "moat-ipam", n.env(nil), conf)
	require.Zero(t, first.status, "%s", first.stdout)
	var r types100.Result
	require.NoError(t, json.Unmarshal(first.stdout, &r))
	require.Equal(t, "1.0.0", r.CNIVersion)
	require.Empty(t, r.Interfaces, "they are the main plugin's")
	require.Len(t, r.IPs, 2)
	require.Equal(t, "10.7.0.2/24", r.IPs[0].Address.String())
	require.Equal(t, "10.7.0.1", r.IPs[0].Gateway.String())
	require.Equal(t, "fd07::2/64", r.IPs[1].Address.String())
	require.Len(t, r.Routes, 2)
	require.Equal(t, types.DNS{Nameservers: []string{"10.0.0.53"}, Search: []string{"a.example", "b.example"}, Options: []string{"ndots:2"}}, r.DNS)

	require.Equal(t, first.stdout, plugin(t, "moat-ipam", n.env(nil), conf).stdout, "repeated")
	other := plugin(t, "moat-ipam", n.env(vars{"CNI_IFNAME": "net1"}), conf)
	require.Contains(t, string(other.stdout), "10.7.0.3/24", "a second attachment of the pod")

	held := n.holdings(t)
	require.Len(t, held, 2)
	file2, err := os.Open(n.pod.Path())
	require.NoError(t, err)
	defer file2.Close()
	_, inode, err := netns.Inode(file2)
	require.NoError(t, err)
	require.Equal(t, inode, held[0].PodInode)
	require.Equal(t, "boot", held[0].BootID)
	require.Equal(t, "lab", held[0].Pool)
	require.Equal(t, "p1", held[0].PodName)

	prev := keys{"prevResult": json.RawMessage(first.stdout)}
	require.Zero(t, plugin(t, "moat-ipam", n.env(vars{"CNI_COMMAND": "CHECK"}), n.ipamConf(section, prev)).status)
	for range 2 {
		require.Zero(t, plugin(t, "moat-ipam", n.env(vars{"CNI_COMMAND": "DEL", "CNI_NETNS": ""}), conf).status)
	}
	require.Len(t, n.holdings(t), 1, "the other attachment keeps its own")
	e := plugin(t, "moat-ipam", n.env(vars{"CNI_COMMAND": "CHECK"}), n.ipamConf(section, prev)).failure(t)
	require.EqualValues(t, 106, e.Code)
	require.Contains(t, e.Msg, "it holds no address")
}

// What an earlier ADD holds is its pod's, which may be alive, whatever a later ADD
// asks for and however the node's clock was set in between.
func TestIPAMKeepsWhatAnEarlierAddHoldsWhateverTheClockSays(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"the clock was set back": time.Hour, "the clock was set forward": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			store := ledger.NewMemory()
			at := func(wrong time.Duration) func(*agent.Options) {
				return func(o *agent.Options) {
					o.Pools = ledger.NewPools(store, ledger.PoolOptions{Now: func() time.Time { return time.Now().Add(wrong) }})
				}
			}
			first := newNode(t, at(wrong))
			section := ranges("10.7.0.0/24")
			require.Zero(t, plugin(t, "moat-ipam", first.env(nil), first.ipamConf(section, nil)).status)
			first.stop()
			n := newNode(t, at(0))
			wish := keys{"runtimeConfig": keys{"ips": []string{"10.7.0.9"}}}
			e := plugin(t, "moat-ipam", n.env(nil), n.ipamConf(section, wish)).failure(t)
			require.Contains(t, e.Msg, "10.7.0.9 was not given: the pod holds [10.7.0.2/24]")
			held, err := ledger.NewPools(store, ledger.PoolOptions{}).Holdings(t.Context(), "node-1", "")
			require.NoError(t, err)
			require.Len(t, held, 1)
		})
	}
}

// What this ADD took and cannot use is given back, whatever the clock does meanwhile.
func TestIPAMGivesBackWhatItCannotUseWhateverTheClockSays(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"the clock is set back": -time.Hour, "the clock is set forward": time.Hour} {
		t.Run(name, func(t *testing.T) {
			pools := ledger.NewPools(ledger.NewMemory(), ledger.PoolOptions{Now: func() time.Time { return time.Now().Add(wrong) }})
			n := newNode(t, func(o *agent.Options) { o.Pools = pools })
			e := plugin(t, "moat-ipam", n.env(vars{"CNI_ARGS": "IgnoreUnknown=1;GATEWAY=10.8.0.1"}), n.ipamConf(ranges("10.7.0.0/24"), nil)).failure(t)
			require.Contains(t, e.Msg, "in no subnet of the pod")
			held, err := pools.Holdings(t.Context(), "node-1", "")
			require.NoError(t, err)
			require.Empty(t, held)
		})
	}
}

func TestIPAMRefuses(t *testing.T) {
	n := newNode(t)
	small := ranges("10.7.0.0/30")
	require.Zero(t, plugin(t, "moat-ipam", n.env(vars{"CNI_CONTAINERID": "holder"}), n.ipamConf(small, nil)).status)
	for name, c := range map[string]struct {
		section, beside keys
		env             vars
		code            uint
		says            []string
	}{
		"no ranges":           {section: keys{}, code: 7, says: []string{"ipam.ranges"}},
		"an unknown key":      {section: keys{"rangs": []any{}}, code: 2, says: []string{`unknown field "rangs"`}},
		"a key of wrong type": {section: keys{"ranges": "10.0.0.0/8"}, code: 6, says: []string{"ranges"}},
		"a gateway outside":   {section: keys{"ranges": []any{[]any{keys{"subnet": "10.1.0.0/24", "gateway": "10.2.0.1"}}}}, code: 7, says: []string{"ipam.ranges[0][0].gateway", "10.2.0.1"}},
		"no duration":         {section: keys{"ranges": small["ranges"], "coolDown": "soon"}, code: 7, says: []string{"ipam.coolDown", "soon"}},
		"seconds of no unit":  {section: keys{"ranges": small["ranges"], "coolDown": 60}, code: 7, says: []string{"ipam.coolDown", "60"}},
		"no name of a pool":   {section: keys{"ranges": small["ranges"], "pool": "a/b"}, code: 7, says: []string{`ipam.pool "a/b"`}},
		"no file":             {section: keys{"ranges": small["ranges"], "resolvConf": "/nowhere"}, code: 7, says: []string{"ipam.resolvConf", "/nowhere"}},
		"no address asked":    {section: small, beside: keys{"runtimeConfig": keys{"ips": []string{"ten"}}}, code: 7, says: []string{"ten"}},
		"two of one set":      {section: ranges("10.7.0.0/24"), beside: keys{"runtimeConfig": keys{"ips": []string{"10.7.0.3", "10.7.0.4"}}}, code: 7, says: []string{"runtimeConfig.ips", "10.7.0.4 was not given: the pod holds [10.7.0.3/24]"}},
		"asked outside":       {section: small, beside: keys{"runtimeConfig": keys{"ips": []string{"10.9.0.1/24"}}}, code: 7, says: []string{"10.9.0.1", "pool lab"}},
		"asked and held":      {section: small, env: vars{"CNI_ARGS": "IgnoreUnknown=1;IP=10.7.0.2"}, code: 103, says: []string{"10.7.0.2 is held by lab/holder/eth0 on node node-1"}},
		"used up":             {section: small, code: 102, says: []string{"pool lab", "used up"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := plugin(t, "moat-ipam", n.env(c.env), n.ipamConf(c.section, c.beside)).failure(t)
			require.EqualValues(t, c.code, e.Code, "%s", e.Msg)
			for _, s := range append(c.says, "") {
				require.Contains(t, e.Msg, s)
			}
			require.NotEmpty(t, e.Details)
			require.Len(t, n.holdings(t), 1, "nothing half taken")
		})
	}
}

func TestIPAMTakesWhatPodsAskFor(t *testing.T) {
	n := newNode(t)
	section := keys{"pool": "shared", "ranges": []any{[]any{keys{"subnet": "10.7.0.0/24", "reserveFirst": 9, "gateway": "last"}}}}
	for _, c := range []struct {
		id, want string
		env      vars
		beside   keys
	}{
		{"dynamic", "10.7.0.10/24", nil, nil},
		{"capability", "10.7.0.3/24", vars{"CNI_ARGS": "IgnoreUnknown=1;IP=10.7.0.4"}, keys{"runtimeConfig": keys{"ips": []string{"10.7.0.3/24"}}, "args": keys{"cni": keys{"ips": []string{"10.7.0.5"}}}}},
		{"args", "10.7.0.5/24", nil, keys{"args": keys{"cni": keys{"ips": []string{"10.7.0.5"}}}}},
		{"environment", "10.7.0.4/24", vars{"CNI_ARGS": "IgnoreUnknown=1;IP=10.7.0.4"}, nil},
		{"ranges of the runtime", "10.8.0.2/24", nil, keys{"runtimeConfig": keys{"ipRanges": []any{[]any{keys{"subnet": "10.8.0.0/24"}}}}}},
	} {
		env := n.env(c.env)
		env["CNI_CONTAINERID"] = "c-" + c.id[:4]
		got := plugin(t, "moat-ipam", env, n.ipamConf(section, c.beside))
		require.Zero(t, got.status, "%s: %s", c.id, got.stdout)
		require.Contains(t, string(got.stdout), c.want, c.id)
	}
}

func TestIPAMCollectsAndAnswersStatus(t *testing.T) {
	n := newNode(t)
	section := ranges("10.7.0.0/24")
	for _, c := range []string{"c1", "c2", "c3"} {
		require.Zero(t, plugin(t, "moat-ipam", n.env(vars{"CNI_CONTAINERID": c}), n.ipamConf(section, keys{"cniVersion": "1.1.0"})).status)
	}
	collect := func(list any) {
		beside := keys{"cniVersion": "1.1.0"}
		if list != nil {
			beside["cni.dev/valid-attachments"] = list
		}
		a := plugin(t, "moat-ipam", n.env(vars{"CNI_COMMAND": "GC"}), n.ipamConf(section, beside))
		require.Zero(t, a.status, "%s", a.stdout)
	}
	collect(nil)
	require.Len(t, n.holdings(t), 3, "no list is not an empty one")
	collect([]any{keys{"containerID": "c1", "ifname": "eth0"}, keys{"containerID": "c3", "ifname": "other"}})
	require.Len(t, n.holdings(t), 1)
	collect([]any{})
	require.Empty(t, n.holdings(t))
	status := vars{"CNI_COMMAND": "STATUS"}
	require.Zero(t, plugin(t, "moat-ipam", n.env(status), n.ipamConf(section, keys{"cniVersion": "1.1.0"})).status)
	e := plugin(t, "moat-ipam", n.env(status), n.ipamConf(keys{}, keys{"cniVersion": "1.1.0"})).failure(t)
	require.EqualValues(t, 7, e.Code)
}
