package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// cniError is the one JSON document that a failed call prints.
type cniError struct {
	CNIVersion string `json:"cniVersion"`
	Code       int    `json:"code"`
	Msg        string `json:"msg"`
	Details    string `json:"details"`
}

func (n *node) refused(conf string, env map[string]string) cniError {
	n.t.Helper()
	out, err := n.plugin(conf, env)
	require.Error(n.t, err, "the call must fail; it printed %s", out)
	var e cniError
	dec := json.NewDecoder(strings.NewReader(out))
	require.NoError(n.t, dec.Decode(&e), "stdout: %s", out)
	require.False(n.t, dec.More(), "one document alone: %s", out)
	require.NotEmpty(n.t, e.Msg)
	require.NotContains(n.t, out, "goroutine ")
	return e
}

func TestBadInputIsOneErrorThatSaysWhatToDo(t *testing.T) {
	n := newNode(t)
	p, err := n.lab.NewPod("red", "one")
	require.NoError(t, err)
	with := func(key, value string) map[string]string {
		env := maps.Clone(callEnv("ADD", p))
		env[key] = value
		return env
	}
	notNetns := filepath.Join(n.lab.Dir, "plain")
	require.NoError(t, os.WriteFile(notNetns, nil, 0o600))
	pipe := filepath.Join(n.lab.Dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	good := n.entry("1.1.0", nil)
	for name, c := range map[string]struct {
		conf string
		env  map[string]string
		code int
		says string
	}{
		"no container ID":                     {good, with("CNI_CONTAINERID", ""), 4, "CNI_CONTAINERID"},
		"a container ID of dots":              {good, with("CNI_CONTAINERID", "../../x"), 4, "CNI_CONTAINERID"},
		"no interface name":                   {good, with("CNI_IFNAME", ""), 4, "CNI_IFNAME"},
		"a long interface name":               {good, with("CNI_IFNAME", "an-interface-name-too-long"), 4, "CNI_IFNAME"},
		"no namespace":                        {good, with("CNI_NETNS", ""), 4, "CNI_NETNS"},
		"an unknown command":                  {good, with("CNI_COMMAND", "PAINT"), 4, "PAINT"},
		"a namespace that is no file":         {good, with("CNI_NETNS", "/run/netns/nosuch"), 8, "nosuch"},
		"a namespace that is a pipe":          {good, with("CNI_NETNS", pipe), 8, ""},
		"an interface name to be numbered":    {good, with("CNI_IFNAME", "eth%d"), 4, "CNI_IFNAME"},
		"a namespace that is a plain file":    {good, with("CNI_NETNS", notNetns), 8, ""},
		"broken JSON":                         {"{", callEnv("ADD", p), 6, ""},
		"a version of tomorrow":               {n.entry("9.0.0", nil), callEnv("ADD", p), 1, "9.0.0"},
		"an unknown key":                      {n.entry("1.1.0", map[string]any{"tenent": "x"}), callEnv("ADD", p), 2, "tenent"},
		"an MTU of nothing":                   {n.entry("1.1.0", map[string]any{"mtu": 5}), callEnv("ADD", p), 7, "mtu"},
		"a Kubernetes namespace that is none": {good, with("CNI_ARGS", "K8S_POD_NAMESPACE=../etc;K8S_POD_NAME=x"), 4, ""},
		"arguments that are none":             {good, with("CNI_ARGS", "nonsense"), 4, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := (&node{t: t, lab: n.lab, host: n.host, daemon: n.daemon}).refused(c.conf, c.env)
			require.Equal(t, c.code, e.Code, "%+v", e)
			require.Contains(t, e.Msg+e.Details, c.says)
		})
	}
	require.NotContains(t, n.cli("tenant", "list"), "red", "nothing half made stays behind")
}

func TestInterfaceNameTakenInThePodIsRefusedAndLeftAlone(t *testing.T) {
	n := newNode(t)
	p, err := n.lab.NewPod("red", "one")
	require.NoError(t, err)
	require.NoError(t, p.Do(func() error {
		return netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}})
	}))
	e := n.refused(n.entry("1.1.0", nil), callEnv("ADD", p))
	require.Equal(t, 105, e.Code, "%+v", e)
	require.Contains(t, e.Msg, "red")
	require.Contains(t, e.Msg, "eth0")
	require.NoError(t, p.Do(func() error { _, err := netlink.LinkByName("eth0"); return err }))
	require.Contains(t, n.cli("tenant", "show", "red", "-o", "json"), `"pods": 0`)
}

// A second interface for a pod that has a default route already.
func TestSecondDefaultRouteIsRefusedWithAdvice(t *testing.T) {
	n := newNode(t)
	p := n.pod("red", "one")
	env := callEnv("ADD", p)
	env["CNI_IFNAME"] = "eth1"
	e := n.refused(n.entry("1.1.0", nil), env)
	require.Equal(t, 5, e.Code, "%+v", e)
	require.Contains(t, e.Msg, "red")
	require.Contains(t, e.Msg, "add route to 0.0.0.0/0")
	require.Contains(t, e.Details, "default route")
	require.Error(t, p.Do(func() error { _, err := netlink.LinkByName("eth1"); return err }))
	require.Contains(t, n.cli("tenant", "show", "red", "-o", "json"), `"pods": 1`)
	n.reaches(p.Namespace, p.Gateway)
}

func TestUsedUpPoolIsSaidSo(t *testing.T) {
	n := newNode(t, "--supernet", "10.0.0.0/28", "--tenant-prefix", "29")
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		n.pod("red", name)
	}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		n.pod("red", name+"2") // the second subnet, on a bridge of its own
	}
	p, err := n.lab.NewPod("red", "toomany")
	require.NoError(t, err)
	e := n.refused(n.entry("1.1.0", nil), callEnv("ADD", p))
	require.Equal(t, 102, e.Code, "%+v", e)
	require.Contains(t, e.Msg, "red")
	require.NotEmpty(t, e.Details)
	require.Contains(t, n.cli("tenant", "show", "red", "-o", "json"), `"pods": 10`)
}

func TestDaemonThatIsNotRunning(t *testing.T) {
	n := newHost(t)
	n.daemon = &lab.Daemon{Dir: n.lab.Dir}
	p, err := n.lab.NewPod("red", "one")
	require.NoError(t, err)
	for command, code := range map[string]int{"ADD": 11, "DEL": 11, "STATUS": 50} {
		e := n.refused(n.entry("1.1.0", nil), callEnv(command, p))
		require.Equal(t, code, e.Code, "%s: %+v", command, e)
		require.Contains(t, e.Details, "moat up")
	}
}
