package wishes

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

type notes = map[string]string

func pod(a notes) Pod {
	return Pod{Namespace: "red", Name: "web", UID: "1", Annotations: a, Node: "n1"}
}

func read(a notes) (Wishes, error) { return Read(pod(a), "eth0", time.Hour) }

func TestAnnotationsThatAreWrong(t *testing.T) {
	for _, c := range []struct {
		say notes
		key string // what the message must begin with, after "annotation "
		has string // and hold
	}{
		{notes{"moat.dev/ip": ""}, `moat.dev/ip ""`, "no IP address"},
		{notes{"moat.dev/ip": "10.0.0"}, `moat.dev/ip "10.0.0"`, "no IP address"},
		{notes{"moat.dev/ip": "10.0.0.5,"}, `moat.dev/ip "10.0.0.5,"`, `"": it is no IP address`},
		{notes{"moat.dev/ip": `["10.0.0.5"]`}, "moat.dev/ip", "with commas between them"},
		{notes{"moat.dev/ip": "10.0.0.5 10.0.0.6"}, "moat.dev/ip", "with commas between them"},
		{notes{"moat.dev/ip": "10.0.0.5,10.0.0.6"}, "moat.dev/ip", "at most one IPv4 and one IPv6"},
		{notes{"moat.dev/ip": "10.0.0.5,10.0.0.5"}, "moat.dev/ip", "at most one IPv4 and one IPv6"},
		{notes{"moat.dev/ip": "fd00::1,fd00::2"}, "moat.dev/ip", "at most one IPv4 and one IPv6"},
		{notes{"moat.dev/ip": "::ffff:10.0.0.5"}, "moat.dev/ip", "it is IPv4 in IPv6, write 10.0.0.5"},
		{notes{"moat.dev/ip": "::ffff:10.0.0.5/120"}, "moat.dev/ip", "it is IPv4 in IPv6, write 10.0.0.5"},
		{notes{"moat.dev/ip": "10.0.0.5/33"}, "moat.dev/ip", "1 to 32"},
		{notes{"moat.dev/ip": "10.0.0.5/0"}, "moat.dev/ip", "1 to 32"},
		{notes{"moat.dev/ip": "10.0.0.5/255.255.255.0"}, "moat.dev/ip", "1 to 32"},
		{notes{"moat.dev/ip": "10.0.0.5/"}, "moat.dev/ip", "1 to 32"},
		{notes{"moat.dev/ip": "fd00::5/129"}, "moat.dev/ip", "1 to 128"},
		{notes{"moat.dev/ip": "10.0.0.0/24"}, "moat.dev/ip", "the subnet's own"},
		{notes{"moat.dev/ip": "fe80::1%eth0"}, "moat.dev/ip", "it has a zone"},
		{notes{"moat.dev/ip": "0.0.0.0"}, "moat.dev/ip", "no address that a pod can have"},
		{notes{"moat.dev/ip": "127.0.0.1"}, "moat.dev/ip", "no address that a pod can have"},
		{notes{"moat.dev/ip": "224.0.0.1"}, "moat.dev/ip", "no address that a pod can have"},
		{notes{"moat.dev/ip": "255.255.255.255"}, "moat.dev/ip", "no address that a pod can have"},
		{notes{"moat.dev/ip": "169.254.0.9"}, "moat.dev/ip", "no address that a pod can have"},
		{notes{"moat.dev/ip": "010.0.0.5"}, "moat.dev/ip", "no IP address"},

		{notes{"kube-ipam.ip": "10.0.0.5,10.0.0.6"}, "kube-ipam.ip", "at most one IPv4"},
		{notes{"kube-ipam.ip": "10.0.0.5", "kube-ipam.netmask": "255.0.255.0"}, `kube-ipam.netmask "255.0.255.0"`, "such as 255.255.255.0"},
		{notes{"kube-ipam.ip": "10.0.0.5", "kube-ipam.netmask": "0.0.0.0"}, "kube-ipam.netmask", "a mask"},
		{notes{"kube-ipam.ip": "10.0.0.5", "kube-ipam.netmask": "24"}, "kube-ipam.netmask", "a mask"},
		{notes{"kube-ipam.ip": "10.0.0.5", "kube-ipam.netmask": "ffff::"}, "kube-ipam.netmask", "a mask"},
		{notes{"kube-ipam.ip": "10.0.0.5/16", "kube-ipam.netmask": "255.255.255.0"}, "kube-ipam.ip and kube-ipam.netmask", "the same"},
		{notes{"kube-ipam.netmask": "255.255.255.0"}, "kube-ipam.netmask", "beside kube-ipam.ip"},
		{notes{"kube-ipam.gateway": "10.0.0"}, "kube-ipam.gateway", "an IP address"},
		{notes{"kube-ipam.ip": "10.0.0.5", "moat.dev/ip": "10.0.0.6"}, "moat.dev/ip and kube-ipam.ip", "one of them left out"},
		{notes{"kube-ipam.gateway": "10.0.0.1", "moat.dev/gateway": "10.0.0.2"}, "moat.dev/gateway and kube-ipam.gateway", "one of them left out"},
		{notes{"cni.projectcalico.org/ipAddrs": "10.0.0.5"}, "cni.projectcalico.org/ipAddrs", "a JSON list"},
		{notes{"cni.projectcalico.org/ipAddrs": "[]"}, "cni.projectcalico.org/ipAddrs", "a JSON list"},
		{notes{"cni.projectcalico.org/ipAddrs": "[1]"}, "cni.projectcalico.org/ipAddrs", "a JSON list"},
		{notes{"cni.projectcalico.org/ipAddrs": `["10.0.0.x"]`}, "cni.projectcalico.org/ipAddrs", "no IP address"},
		{notes{"cni.projectcalico.org/ipAddrs": `["10.0.0.5"]`, "kube-ipam.ip": "10.0.0.6"}, "kube-ipam.ip and cni.projectcalico.org/ipAddrs", "one of them left out"},
		{notes{"cni.projectcalico.org/ipAddrs": `["10.0.0.5"]`, "moat.dev/ip": "10.0.0.5,fd00::5"}, "moat.dev/ip and cni.projectcalico.org/ipAddrs", "the same"},

		{notes{"moat.dev/mac": ""}, "moat.dev/mac", "a unicast MAC"},
		{notes{"moat.dev/mac": "02:00:00:00:01"}, "moat.dev/mac", "a unicast MAC"},
		{notes{"moat.dev/mac": "01:00:5e:00:00:01"}, "moat.dev/mac", "a unicast MAC"},
		{notes{"moat.dev/mac": "ff:ff:ff:ff:ff:ff"}, "moat.dev/mac", "a unicast MAC"},
		{notes{"moat.dev/mac": "00:00:00:00:00:00"}, "moat.dev/mac", "a unicast MAC"},
		{notes{"moat.dev/mac": "02:00:00:00:00:00:00:01"}, "moat.dev/mac", "a unicast MAC"},

		{notes{"moat.dev/gateway": "x"}, "moat.dev/gateway", "an IP address"},
		{notes{"moat.dev/gateway": "::ffff:10.0.0.1"}, "moat.dev/gateway", "write 10.0.0.1"},
		{notes{"moat.dev/ip": "10.0.0.5/24", "moat.dev/gateway": "10.0.1.1"}, "moat.dev/gateway", "in the subnet 10.0.0.0/24 of moat.dev/ip"},
		{notes{"moat.dev/ip": "10.0.0.5/24", "moat.dev/gateway": "10.0.0.5"}, "moat.dev/gateway", "than the pod's own"},

		{notes{"moat.dev/sticky": "yes"}, "moat.dev/sticky", `"true" or "false"`},
		{notes{"moat.dev/sticky": ""}, "moat.dev/sticky", `"true" or "false"`},
		{notes{"moat.dev/sticky": "true", "moat.dev/sticky-for": "1d"}, "moat.dev/sticky-for", "such as 24h"},
		{notes{"moat.dev/sticky": "true", "moat.dev/sticky-for": "0"}, "moat.dev/sticky-for", "above 0"},
		{notes{"moat.dev/sticky": "true", "moat.dev/sticky-for": "-1h"}, "moat.dev/sticky-for", "above 0"},
		{notes{"moat.dev/sticky-for": "1h"}, "moat.dev/sticky-for", "moat.dev/sticky"},

		{notes{"moat.dev/dns": "10.0.0.53"}, "moat.dev/dns", "an object such as"},
		{notes{"moat.dev/dns": "null"}, "moat.dev/dns", "null"},
		{notes{"moat.dev/dns": `{"nameserver":["10.0.0.53"]}`}, "moat.dev/dns", `unknown field "nameserver"`},
		{notes{"moat.dev/dns": `{"nameservers":["ns1"]}`}, "moat.dev/dns", `"ns1" is no IP address`},
		{notes{"moat.dev/dns": `{} {}`}, "moat.dev/dns", "nothing behind it"},

		{notes{"moat.dev/dns": `{"search":["a\nnameserver 10.0.0.66"]}`}, "moat.dev/dns", `search has "a\nnameserver 10.0.0.66", which is not one word`},
		{notes{"moat.dev/dns": `{"options":["ndots:5 rotate"]}`}, "moat.dev/dns", `options has "ndots:5 rotate"`},
		{notes{"moat.dev/dns": `{"domain":"\u001b[2J"}`}, "moat.dev/dns", `domain has "\x1b[2J"`},

		{notes{"moat.dev/ips": "10.0.0.5"}, "moat.dev/ips", "spelt right"},
		{notes{"moat.dev/": "10.0.0.5"}, "moat.dev/", "spelt right"},
	} {
		_, err := read(c.say)
		var wrong *Error
		require.ErrorAs(t, err, &wrong, "%v", c.say)
		require.ErrorContains(t, err, "annotation "+c.key)
		require.ErrorContains(t, err, c.has, "%v", c.say)
	}
}

// An annotation may have 256 KiB, of anything: what is said of it stays short, and
// is text.
func TestLongAnnotationsAreQuotedInPart(t *testing.T) {
	long := strings.Repeat("x\x1b\n", 256<<10/3)
	of := map[string][]string{
		"10.0.0.5,10.0.0.6," + long:                {"moat.dev/ip", "kube-ipam.ip"},
		`["` + strings.Repeat("x", 256<<10) + `"]`: {"cni.projectcalico.org/ipAddrs"},
		long: {"moat.dev/ip", "moat.dev/mac", "moat.dev/gateway", "moat.dev/sticky", "moat.dev/sticky-for", "moat.dev/dns", "moat.dev/other",
			"kube-ipam.ip", "kube-ipam.gateway", "kube-ipam.netmask", "cni.projectcalico.org/ipAddrs"},
		`{"nameservers":["` + strings.Repeat("1", 256<<10) + `"]}`: {"moat.dev/dns"},
		`{"` + strings.Repeat("k", 256<<10) + `":1}`:               {"moat.dev/dns"},
		`{"search":["` + strings.Repeat("a b", 80<<10) + `"]}`:     {"moat.dev/dns"},
	}
	for value, keys := range of {
		for _, key := range keys {
			_, err := read(notes{key: value})
			require.ErrorContains(t, err, "annotation "+key)
			require.Less(t, len(err.Error()), 2000, key)
			require.NotContains(t, err.Error(), "\x1b", key)
		}
	}
	_, err := read(notes{"moat.dev/gateway": "10.0.0.1" + strings.Repeat(" ", 9) + long, "kube-ipam.gateway": "10.0.0.2"})
	require.ErrorContains(t, err, "and 10.0.0.2")
	require.Less(t, len(err.Error()), 2000)
}

func TestWhatOnePodAloneCanHaveIsNotANamespaces(t *testing.T) {
	for _, key := range []string{"moat.dev/ip", "moat.dev/mac", "moat.dev/ip.net1"} {
		p := pod(nil)
		p.Defaults = notes{key: "x"}
		_, err := Read(p, "eth0", time.Hour)
		require.ErrorContains(t, err, "annotation "+key)
		require.ErrorContains(t, err, "not on their namespace")
	}
	p := pod(nil)
	p.Defaults = notes{"moat.dev/stiky": "true"}
	_, err := Read(p, "eth0", time.Hour)
	require.ErrorContains(t, err, "annotation moat.dev/stiky")
	require.ErrorContains(t, err, "spelt right")
}

func TestAddressesInEachSpelling(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("fd00::5")
	for _, c := range []struct {
		say  notes
		want []Address
		from string
	}{
		{nil, nil, ""},
		{notes{"other.example/ip": "x", "moat.dev.example/ip": "x"}, nil, ""},
		{notes{"moat.dev/ip": " 10.0.0.5 "}, []Address{{v4, 0}}, "moat.dev/ip"},
		{notes{"moat.dev/ip": "10.0.0.5/24, fd00::5/64"}, []Address{{v4, 24}, {v6, 64}}, "moat.dev/ip"},
		{notes{"moat.dev/ip": "fd00::5,10.0.0.5"}, []Address{{v6, 0}, {v4, 0}}, "moat.dev/ip"},
		{notes{"moat.dev/ip.eth0": "10.0.0.5", "moat.dev/ip": "10.0.0.6", "moat.dev/ip.net1": "10.0.0.7"}, []Address{{v4, 0}}, "moat.dev/ip.eth0"},
		{notes{"kube-ipam.ip": "10.0.0.5"}, []Address{{v4, 0}}, "kube-ipam.ip"},
		{notes{"kube-ipam.ip": "10.0.0.5,fd00::5", "kube-ipam.netmask": "255.255.252.0"}, []Address{{v4, 22}, {v6, 0}}, "kube-ipam.ip"},
		{notes{"cni.projectcalico.org/ipAddrs": `["10.0.0.5"]`}, []Address{{v4, 0}}, "cni.projectcalico.org/ipAddrs"},
		{notes{"cni.projectcalico.org/ipAddrs": `["10.0.0.5"]`, "moat.dev/ip": "10.0.0.5/24", "kube-ipam.ip": "10.0.0.5"}, []Address{{v4, 24}}, "moat.dev/ip"},
	} {
		w, err := read(c.say)
		require.NoError(t, err)
		require.Equal(t, c.want, w.Addresses, "%v", c.say)
		require.Equal(t, c.from, w.AddressesFrom)
	}
}

func TestWishesOfOneInterface(t *testing.T) {
	p := pod(notes{
		"moat.dev/ip": "10.0.0.5", "moat.dev/mac": "02:00:00:00:00:0A", "moat.dev/gateway": "10.0.0.254",
		"moat.dev/ip.net1": "10.1.0.5", "moat.dev/gateway.net1": "10.1.0.1", "kube-ipam.ip": "10.0.0.5", "kube-ipam.gateway": "10.0.0.254",
		"moat.dev/sticky": "true", "moat.dev/sticky.net1": "false", "moat.dev/dns": `{"nameservers":["10.0.0.53"]}`, "moat.dev/dns.net1": "{}",
	})
	w, err := Read(p, "eth0", time.Hour)
	require.NoError(t, err)
	require.Equal(t, Wishes{
		Addresses: []Address{{Addr: netip.MustParseAddr("10.0.0.5")}}, AddressesFrom: "moat.dev/ip", MAC: "02:00:00:00:00:0a", MACFrom: "moat.dev/mac",
		Gateway: netip.MustParseAddr("10.0.0.254"), GatewayFrom: "moat.dev/gateway",
		Sticky: &ipam.Sticky{Identity: "red/web", For: time.Hour}, DNS: &types.DNS{Nameservers: []string{"10.0.0.53"}},
	}, w)
	w, err = Read(p, "net1", time.Hour)
	require.NoError(t, err)
	require.Equal(t, Wishes{
		Addresses: []Address{{Addr: netip.MustParseAddr("10.1.0.5")}}, AddressesFrom: "moat.dev/ip.net1",
		Gateway: netip.MustParseAddr("10.1.0.1"), GatewayFrom: "moat.dev/gateway.net1", DNS: &types.DNS{},
	}, w)
	w, err = Read(p, "net2", time.Hour)
	require.NoError(t, err)
	require.Equal(t, &ipam.Sticky{Identity: "red/web", For: time.Hour}, w.Sticky, "what all may have it has, too")
	require.Empty(t, w.Addresses)
	require.False(t, w.Gateway.IsValid())
}

func TestNamespacesAnnotationsAreDefaults(t *testing.T) {
	p := pod(nil)
	p.Defaults = notes{"moat.dev/sticky": "true", "moat.dev/sticky-for": "90m", "moat.dev/gateway": "10.0.0.254", "moat.dev/dns": `{"search":["red.example"]}`}
	w, err := Read(p, "eth0", time.Hour)
	require.NoError(t, err)
	require.Equal(t, 90*time.Minute, w.Sticky.For)
	require.Equal(t, netip.MustParseAddr("10.0.0.254"), w.Gateway)
	require.Equal(t, []string{"red.example"}, w.DNS.Search)
	p.Annotations = notes{"moat.dev/sticky": "false", "moat.dev/dns": "{}", "moat.dev/gateway": "10.0.0.253"}
	w, err = Read(p, "eth0", time.Hour)
	require.NoError(t, err)
	require.Equal(t, Wishes{Gateway: netip.MustParseAddr("10.0.0.253"), GatewayFrom: "moat.dev/gateway", DNS: &types.DNS{}}, w)
	p.Annotations, p.Defaults = notes{"moat.dev/sticky": "true"}, notes{"moat.dev/sticky-for": "90m"}
	w, err = Read(p, "eth0", time.Hour)
	require.NoError(t, err)
	require.Equal(t, 90*time.Minute, w.Sticky.For)
	p.Annotations, p.Defaults = notes{"moat.dev/sticky-for": "3h"}, notes{"moat.dev/sticky": "true"}
	w, err = Read(p, "eth0", time.Hour)
	require.NoError(t, err)
	require.Equal(t, 3*time.Hour, w.Sticky.For)
}

func TestIdentityOfAStickyPod(t *testing.T) {
	hash := notes{"pod-template-hash": "5d9c"}
	for _, c := range []struct {
		name, generated string
		owner           Owner
		labels          notes
		want            string
		shared          bool
	}{
		{"web", "", Owner{}, nil, "red/web", false},
		{"db-0", "db-", Owner{"StatefulSet", "db"}, nil, "red/db-0", false},
		{"web-5d9c-x2vlq", "web-5d9c-", Owner{"ReplicaSet", "web-5d9c"}, hash, "red/Deployment/web", true},
		{"web-x2vlq", "web-", Owner{"ReplicaSet", "web"}, nil, "red/ReplicaSet/web", true},
		{"web-x2vlq", "web-", Owner{"ReplicaSet", "web"}, hash, "red/ReplicaSet/web", true},
		{"rc-x2vlq", "rc-", Owner{"ReplicationController", "rc"}, nil, "red/ReplicationController/rc", true},
		{"sum-x2vlq", "sum-", Owner{"Job", "sum"}, nil, "red/Job/sum", true},
		{"log-x2vlq", "log-", Owner{"DaemonSet", "log"}, nil, "red/DaemonSet/log@n1", true},
		{"pg-1", "", Owner{"Cluster", "pg"}, nil, "red/pg-1", false},
		{"pg-1", "pg-", Owner{"Cluster", "pg"}, nil, "red/pg-1", false},
		{"pg-x2vlq", "pg-", Owner{"CloneSet", "pg"}, nil, "red/CloneSet/pg", true},
		{"pg-22222", "pg-", Owner{"CloneSet", "pg"}, nil, "red/CloneSet/pg", true},
	} {
		p := pod(notes{"moat.dev/sticky": "true"})
		p.Name, p.GenerateName, p.Owner, p.Labels = c.name, c.generated, c.owner, c.labels
		w, err := Read(p, "eth0", time.Hour)
		require.NoError(t, err)
		require.Equal(t, &ipam.Sticky{Identity: c.want, For: time.Hour, Shared: c.shared}, w.Sticky)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("10.0.0.5/24,fd00::5", "255.255.255.0", "10.0.0.1", `["10.0.0.5"]`, `{"nameservers":["1.1.1.1"]}`)
	f.Fuzz(func(t *testing.T, ip, mask, gateway, list, dns string) {
		for _, a := range []notes{
			{"moat.dev/ip": ip, "moat.dev/gateway": gateway, "moat.dev/dns": dns},
			{"kube-ipam.ip": ip, "kube-ipam.netmask": mask, "kube-ipam.gateway": gateway},
			{"cni.projectcalico.org/ipAddrs": list, "moat.dev/mac": mask},
		} {
			w, err := read(a)
			if err != nil {
				continue
			}
			for _, x := range w.Addresses {
				require.True(t, x.IsGlobalUnicast() && !x.Is4In6(), x)
			}
		}
	})
}
