package agent_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/tenant"
)

type vars = map[string]string
type keys = map[string]any

// Each row is refused with one JSON error of the right code that names the
// cause, and nothing is attached.
func TestBadInput(t *testing.T) {
	n := newNode(t)
	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, os.WriteFile(plain, nil, 0o600))
	tests := map[string]struct {
		env  vars
		conf []byte
		code cniconf.Code
		says string
	}{
		"no command":                {vars{"CNI_COMMAND": ""}, n.conf(nil), 4, "[CNI_COMMAND] missing"},
		"unknown command":           {vars{"CNI_COMMAND": "MOVE"}, n.conf(nil), 4, "MOVE"},
		"several variables missing": {vars{"CNI_CONTAINERID": "", "CNI_NETNS": "", "CNI_IFNAME": "", "CNI_PATH": ""}, n.conf(nil), 4, "[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing"},
		"DEL without container":     {vars{"CNI_COMMAND": "DEL", "CNI_CONTAINERID": ""}, n.conf(nil), 4, "[CNI_CONTAINERID] missing"},
		"GC without path":           {vars{"CNI_COMMAND": "GC", "CNI_PATH": ""}, n.conf(nil), 4, "[CNI_PATH] missing"},
		"container ID":              {vars{"CNI_CONTAINERID": "../c"}, n.conf(nil), 4, "CNI_CONTAINERID"},
		"interface name too long":   {vars{"CNI_IFNAME": "eth0123456789abc"}, n.conf(nil), 4, "too long"},
		"interface name with slash": {vars{"CNI_IFNAME": "et/h0"}, n.conf(nil), 4, "contains /"},
		"interface name is ..":      {vars{"CNI_IFNAME": ".."}, n.conf(nil), 4, ".."},
		"args without =":            {vars{"CNI_ARGS": "K8S_POD_NAMESPACE"}, n.conf(nil), 4, "invalid pair"},
		"args unknown":              {vars{"CNI_ARGS": "FOO=1"}, n.conf(nil), 4, "FOO"},
		"namespace that is none":    {vars{"CNI_ARGS": "K8S_POD_NAMESPACE=Blue_1;K8S_POD_NAME=p1"}, n.conf(nil), 4, "Blue_1"},
		"namespace too long":        {vars{"CNI_ARGS": "K8S_POD_NAMESPACE=" + strings.Repeat("a", 64)}, n.conf(nil), 4, "aaa"},
		"requested address":         {vars{"CNI_ARGS": "IP=10.0.0.300"}, n.conf(nil), 4, `CNI_ARGS: IP "10.0.0.300" is not`},
		"requested IPv4 in IPv6":    {nil, n.conf(keys{"runtimeConfig": keys{"ips": []string{"::ffff:10.0.0.3"}}}), 7, `runtimeConfig.ips "::ffff:10.0.0.3"`},
		"requested with a length":   {nil, n.conf(keys{"args": keys{"cni": keys{"ips": []string{"10.0.0.3/33"}}}}), 7, `args.cni.ips "10.0.0.3/33"`},
		"requested MAC of zeros":    {nil, n.conf(keys{"runtimeConfig": keys{"mac": "00:00:00:00:00:00"}}), 7, `runtimeConfig.mac "00:00:00:00:00:00"`},
		"requested MAC":             {vars{"CNI_ARGS": "MAC=01:00:5e:00:00:01"}, n.conf(nil), 4, `CNI_ARGS: MAC "01:00:5e:00:00:01" is not`},
		"namespace gone":            {vars{"CNI_NETNS": "/run/netns/gone"}, n.conf(nil), 8, "/run/netns/gone"},
		"namespace is a file":       {vars{"CNI_NETNS": plain}, n.conf(nil), 8, "no network namespace"},
		"namespace is the host's":   {vars{"CNI_NETNS": "/proc/self/ns/net"}, n.conf(nil), 8, "should not be the same"},
		"no JSON":                   {nil, []byte("{"), 6, "network configuration"},
		"empty input":               {nil, nil, 6, "network configuration"},
		"JSON of another kind":      {nil, []byte("[]"), 6, "network configuration"},
		"name missing":              {nil, n.conf(keys{"name": nil}), 7, "missing network name"},
		"name wrong":                {nil, n.conf(keys{"name": "a b"}), 7, `"a b"`},
		"version missing":           {nil, n.conf(keys{"cniVersion": nil}), 1, "incompatible"},
		"version too old":           {nil, n.conf(keys{"cniVersion": "0.2.0"}), 1, "incompatible"},
		"version unknown":           {nil, n.conf(keys{"cniVersion": "2.0.0"}), 1, "incompatible"},
		"CHECK before 0.4.0":        {vars{"CNI_COMMAND": "CHECK"}, n.conf(keys{"cniVersion": "0.3.1"}), 1, "CHECK"},
		"GC before 1.1.0":           {vars{"CNI_COMMAND": "GC"}, n.conf(keys{"cniVersion": "1.0.0"}), 1, "GC"},
		"STATUS before 1.1.0":       {vars{"CNI_COMMAND": "STATUS"}, n.conf(keys{"cniVersion": "1.0.0"}), 1, "STATUS"},
		"CHECK without prevResult":  {vars{"CNI_COMMAND": "CHECK"}, n.conf(nil), 7, "prevResult"},
		"CHECK of another pod":      {vars{"CNI_COMMAND": "CHECK"}, n.conf(keys{"prevResult": keys{"interfaces": []keys{{"name": "x"}}}}), 7, "prevResult"},
		"prevResult broken":         {nil, n.conf(keys{"prevResult": keys{"ips": "x"}}), 6, "prevResult"},
		"unknown key":               {nil, n.conf(keys{"tennant": "x"}), 2, `"tennant"`},
		"unknown key at STATUS":     {vars{"CNI_COMMAND": "STATUS"}, n.conf(keys{"tennant": "x"}), 2, `"tennant"`},
		"unknown key of dns":        {nil, n.conf(keys{"dns": keys{"server": "x"}}), 2, "dns"},
		"nameserver":                {nil, n.conf(keys{"dns": keys{"nameservers": []string{"dns.example"}}}), 7, "dns.example"},
		"gateway of a route":        {nil, n.conf(keys{"routes": []keys{{"dst": "10.0.0.0/8", "gw": "10.9.0.9"}}}), 2, "routes"},
		"route with host bits":      {nil, n.conf(keys{"routes": []keys{{"dst": "10.0.0.1/8"}}}), 7, "10.0.0.1/8"},
		"socket not absolute":       {nil, n.conf(keys{"socket": "moat.sock"}), 7, "moat.sock"},
		"MTU too small":             {nil, n.conf(keys{"mtu": 100}), 7, `mtu "100"`},
		"MTU of another type":       {nil, n.conf(keys{"mtu": "1500"}), 6, "mtu"},
		"tenant":                    {nil, n.conf(keys{"tenant": "-x"}), 7, `"-x"`},
		"log level":                 {nil, n.conf(keys{"logLevel": "loud"}), 7, "loud"},
		"ipam with a path":          {nil, n.conf(keys{"ipam": keys{"type": "../host-local"}}), 7, "ipam.type"},
		"ipam that is missing":      {nil, n.conf(keys{"ipam": keys{"type": "nowhere"}}), 7, "no such program in CNI_PATH"},
		"standalone without moat":   {nil, n.conf(keys{"standalone": true}), 7, "standalone"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := plugin(t, "moat-cni", n.env(test.env), test.conf).failure(t)
			require.Equal(t, test.code, e.Code, "%s", e.Msg)
			require.Contains(t, e.Msg+e.Details, test.says)
			r, _ := n.service.request()
			require.Empty(t, r, "nothing is attached")
		})
	}
}

// What is wrong with a configuration must not keep a pod from being removed.
func TestDelToleratesAWrongConfiguration(t *testing.T) {
	n := newNode(t)
	a := plugin(t, "moat-cni", n.env(vars{"CNI_COMMAND": "DEL", "CNI_ARGS": "K8S_POD_NAMESPACE=No_Name"}), n.conf(keys{"tennant": "x"}))
	require.Zero(t, a.status, "%s", a.stdout)
	require.Len(t, n.service.detaches(), 1)
}

func TestServiceErrorsBecomeCNIErrors(t *testing.T) {
	exhausted := &tenant.Error{Code: tenant.CodePoolExhausted, Msg: "tenant blue, pod blue/p1: no free address", Details: "enlarge the pool"}
	n := newNode(t)
	for name, test := range map[string]struct {
		command string
		err     error
		code    cniconf.Code
	}{
		"coded":                      {"ADD", exhausted, 102},
		"coded and wrapped":          {"ADD", errors.Join(exhausted), 102},
		"not coded":                  {"ADD", errors.New("surprise"), 999},
		"DEL passing":                {"DEL", &tenant.Error{Code: tenant.CodeTryAgain, Msg: "etcd: no answer"}, 11},
		"STATUS is always 50":        {"STATUS", &tenant.Error{Code: tenant.CodeStore, Msg: "etcd: no answer"}, 50},
		"STATUS of an uncoded error": {"STATUS", errors.New("surprise"), 50},
	} {
		t.Run(name, func(t *testing.T) {
			n.service.failWith(test.err)
			e := plugin(t, "moat-cni", n.env(vars{"CNI_COMMAND": test.command}), n.conf(keys{"cniVersion": "1.1.0"})).failure(t)
			require.Equal(t, test.code, e.Code)
			require.Contains(t, e.Msg, test.err.Error()[:8])
			require.Equal(t, "1.1.0", e.CNIVersion)
		})
	}
}
