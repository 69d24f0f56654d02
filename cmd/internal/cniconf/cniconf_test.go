package cniconf_test

import (
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/utils"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
)

func getenv(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

// A variable that its command does not need is not looked at, as in the
// reference library; one that is wrong is reported before those that miss.
func TestReadEnvOrder(t *testing.T) {
	env, err := cniconf.ReadEnv(getenv(map[string]string{"CNI_COMMAND": "STATUS", "CNI_PATH": "/p", "CNI_CONTAINERID": "../x"}))
	require.Nil(t, err)
	require.Equal(t, "STATUS", env.Command)
	_, err = cniconf.ReadEnv(getenv(map[string]string{"CNI_COMMAND": "ADD", "CNI_IFNAME": "a/b"}))
	require.NotNil(t, err)
	require.Contains(t, err.Msg, "contains /")
}

func TestSubjectNamesPodAndContainer(t *testing.T) {
	e := cniconf.Env{Command: "ADD", ContainerID: "c1", IfName: "eth0", Args: "K8S_POD_NAME=p1;K8S_POD_NAMESPACE=blue"}
	require.Equal(t, "ADD of pod blue/p1, container c1, interface eth0", e.Subject())
	e.Args = "K8S_POD_NAME=p1"
	require.Equal(t, "ADD of pod p1, container c1, interface eth0", e.Subject())
	require.Equal(t, "STATUS", cniconf.Env{Command: "STATUS"}.Subject())
}

func TestArgs(t *testing.T) {
	require.Equal(t, map[string]string{"A": "1", "B": "x=y", "": "z"}, cniconf.Args("B=x=y;A=1;nothing;;=z"))
	require.Empty(t, cniconf.Args(""))
}

func TestReadHeadDefaults(t *testing.T) {
	h, err := cniconf.ReadHead("ADD", []byte(`{"cniVersion":"0.3.0","name":"moat","other":{}}`))
	require.Nil(t, err)
	require.Equal(t, cniconf.DefaultSocket, h.Socket)
	require.False(t, h.Standalone)
}

// Names are held to the same rule as in the reference library.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"moat", "a.b_c-1", "-a", ".", "", "a b", "é", "eth0", "a/b", "eth0123456789abc", "a\u2003b", "e%d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" {
			return // is missing, which is another error
		}
		env := map[string]string{"CNI_COMMAND": "DEL", "CNI_CONTAINERID": s, "CNI_IFNAME": "eth0", "CNI_PATH": "/"}
		_, err := cniconf.ReadEnv(getenv(env))
		require.Equal(t, utils.ValidateContainerID(s) == nil, err == nil, "container ID %q", s)
		env["CNI_CONTAINERID"], env["CNI_IFNAME"] = "c1", s
		_, err = cniconf.ReadEnv(getenv(env))
		good := utils.ValidateInterfaceName(s) == nil && !strings.Contains(s, "%") // of which the kernel makes a number
		require.Equal(t, good, err == nil, "interface %q", s)
	})
}

func TestWhatCannotBeReadIsSaidInWords(t *testing.T) {
	for conf, want := range map[string]string{
		`[1]`:                       "network configuration: it is of the wrong type: array",
		`"x"`:                       "network configuration: it is of the wrong type: string",
		`{"name":"n","socket":7}`:   `network configuration: key "socket" is of the wrong type: number`,
		`{"name":"n","standalone":`: "network configuration: unexpected end of JSON input",
	} {
		_, failure := cniconf.ReadHead(cniconf.Add, []byte(conf))
		require.NotNil(t, failure, conf)
		require.Equal(t, want, failure.Msg)
		require.EqualValues(t, cniconf.CodeDecode, failure.Code)
	}
}
