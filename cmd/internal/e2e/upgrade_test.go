package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// firstRelease is the data directory of `moat up` as it first was: its etcd and its
// files, with three tenants of a pod each, a pod that had ended, an address of
// moat-ipam and a user. LABDIR stands for the folder of the lab.
const firstRelease = "testdata/first-release.jsonl"

var seenInode = regexp.MustCompile(`\\"podInode\\":[0-9]+,`)

// furnish makes the daemon's data directory from a sample.
func (n *node) furnish(sample, data string) {
	t := n.t
	t.Helper()
	s, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: filepath.Join(data, "etcd")})
	require.NoError(t, err)
	defer s.Close()
	file, err := os.Open(sample)
	require.NoError(t, err)
	defer file.Close()
	scan := bufio.NewScanner(file)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		var line struct{ Key, Value, File, Content string }
		text := strings.ReplaceAll(scan.Text(), "LABDIR", n.lab.Dir)
		text = seenInode.ReplaceAllString(text, "") // else its boot, long over, would prove that the pod is gone
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		if line.Key == "" {
			require.NoError(t, os.WriteFile(filepath.Join(data, line.File), []byte(line.Content), 0o600))
			continue
		}
		_, err := s.Client().Put(t.Context(), line.Key, line.Value)
		require.NoError(t, err)
	}
	require.NoError(t, scan.Err())
}

// This program starts on what the first one stored: it raises the versions, knows
// the pods, leases none of their addresses again, and ends them as it does its own.
func TestADataDirectoryOfTheFirstReleaseIsTakenOver(t *testing.T) {
	n := newHost(t)
	n.furnish(firstRelease, filepath.Join(n.lab.Dir, "data"))
	n.start("--node", "n1", "--mtu", "1500")

	for tenant, address := range map[string]string{"red": "10.131.112.2", "blue": "10.215.52.2", "gone": "10.170.184.2"} {
		require.Contains(t, n.cli("tenant", "show", tenant, "-o", "json"), `"pods": 1`)
		require.Contains(t, n.cli("ip", "show", address, "-o", "json"), tenant)
	}
	require.Contains(t, n.cli("ip", "list", "--pool", "lab"), "10.77.1.2")
	audit, err := n.daemon.CLI(t.Context(), "ip", "audit", "-o", "json")
	require.NotContains(t, audit, "unreadable", err)
	stored, err := newRecords(t, "unix://"+filepath.Join(n.daemon.DataDir(), "etcd", "etcd.sock")).client.
		Get(t.Context(), sdnPrefix+"meta/schema", clientv3.WithLimit(1))
	require.NoError(t, err)
	require.NotEqual(t, `{"object":2}`, string(stored.Kvs[0].Value))
	users, err := n.offline("user", "list")
	require.NoError(t, err, users)
	require.Contains(t, users, "ann")

	p := n.pod("red", "new")
	require.NotEqual(t, "10.131.112.2", p.Address.String())
	require.Equal(t, "10.131.112.1", p.Gateway.String())
	n.reaches(p.Namespace, outsideAddr.Addr())
	of := &libcni.RuntimeConf{ContainerID: "c536ff1ae990534b66c812b95875974b", IfName: "eth0",
		Args: [][2]string{{"K8S_POD_NAMESPACE", "red"}, {"K8S_POD_NAME", "one"}}}
	require.NoError(t, n.rt.Del(t.Context(), &lab.Pod{Args: of}))
	_, err = n.daemon.CLI(t.Context(), "ip", "show", "10.131.112.2")
	require.Error(t, err, "nobody holds it any more")
}
