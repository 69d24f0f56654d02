package agent_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/config"
)

const examples = "../../../../examples"

// Every example is read by what reads such files in earnest; a file that nothing
// here reads is an error.
func TestExamplesAreValid(t *testing.T) {
	files, err := os.ReadDir(examples)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		t.Run(f.Name(), func(t *testing.T) {
			path := filepath.Join(examples, f.Name())
			switch filepath.Ext(f.Name()) {
			case ".conflist":
				readConfList(t, path)
			case ".yaml":
				raw, err := config.Defaults().ReadFile(path)
				require.NoError(t, err)
				_, err = raw.Valid()
				require.NoError(t, err)
			default:
				require.FailNow(t, "no test reads this example")
			}
		})
	}
}

// readConfList reads a list as a runtime does, and each entry of ours as the
// agent does when the runtime has filled in name and version.
func readConfList(t *testing.T, path string) {
	list, err := libcni.ConfListFromFile(path)
	require.NoError(t, err)
	require.Contains(t, []string{"1.0.0", "1.1.0"}, list.CNIVersion)
	ours := 0
	for _, plugin := range list.Plugins {
		var entry map[string]any
		require.NoError(t, json.Unmarshal(plugin.Bytes, &entry))
		entry["name"], entry["cniVersion"] = list.Name, list.CNIVersion
		raw, err := json.Marshal(entry)
		require.NoError(t, err)
		if plugin.Network.IPAM.Type == "moat-ipam" {
			ours++
			require.NoError(t, agent.CheckIPAM(raw))
		}
		if plugin.Network.Type != "moat-cni" {
			continue
		}
		ours++
		c, err := agent.ParseConfig(raw)
		require.NoError(t, err)
		require.Equal(t, c.Standalone, c.Credentials != "", "standalone mode needs credentials, the daemon none")
	}
	require.Equal(t, 1, ours)
}

// Credentials serve a call without a daemon: they must say where endpoint and
// etcd are.
func TestExampleOfCredentialsNamesEndpointAndEtcd(t *testing.T) {
	raw, err := config.Defaults().ReadFile(filepath.Join(examples, "credentials.yaml"))
	require.NoError(t, err)
	c, err := raw.Valid()
	require.NoError(t, err)
	require.NotEmpty(t, c.Endpoint.URLs)
	require.NotEmpty(t, c.Endpoint.PasswordFile)
	require.NotEmpty(t, c.Etcd.Endpoints)
	require.NotEmpty(t, c.HostID)
}
