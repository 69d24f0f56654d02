package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/lab"
)

// Credentials that cannot work are the configuration's fault: code 7, nothing
// started and nothing made, for every command.
func TestCredentialsThatCannotWorkAreRefused(t *testing.T) {
	l, err := lab.New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	pod, err := l.Namespace("pod")
	require.NoError(t, err)
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	for name, c := range map[string]struct{ text, says string }{
		"no etcd":     {"dataDir: %s\nendpoint: {urls: [http://127.0.0.1:1/], passwordFile: /nowhere}\n", "etcd.endpoints"},
		"no endpoint": {"dataDir: %s\netcd: {endpoints: [http://127.0.0.1:1]}\nendpoint: {passwordFile: /nowhere}\n", "endpoint.urls"},
		"no password": {"dataDir: %s\netcd: {endpoints: [http://127.0.0.1:1]}\nendpoint: {urls: [http://127.0.0.1:1/]}\n", "endpoint.passwordFile"},
		"unknown key": {"dataDir: %s\nsurprise: 1\n", "surprise"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "credentials.yaml")
			require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, c.text, data), 0o600))
			refusedBy(t, pod.Path, file, c.says)
		})
	}
	t.Run("no file", func(t *testing.T) { refusedBy(t, pod.Path, filepath.Join(dir, "none.yaml"), "none.yaml") })
	t.Run("none named", func(t *testing.T) { refusedBy(t, pod.Path, "", "credentials") })
	require.NoDirExists(t, data)
}

func refusedBy(t *testing.T, netns, credentials, says string) {
	t.Helper()
	conf, err := json.Marshal(map[string]any{"cniVersion": "1.1.0", "name": "moat", "type": "moat-cni", "standalone": true, "credentials": credentials})
	require.NoError(t, err)
	for _, command := range []string{"ADD", "DEL", "STATUS"} {
		t.Setenv("CNI_COMMAND", command)
		t.Setenv("CNI_CONTAINERID", "c1")
		t.Setenv("CNI_IFNAME", "eth0")
		t.Setenv("CNI_NETNS", netns)
		t.Setenv("CNI_PATH", "/nowhere")
		var out, logs bytes.Buffer
		require.Equal(t, 1, Standalone(t.Context(), bytes.NewReader(conf), &out, &logs))
		var e cniconf.Error
		require.NoError(t, json.Unmarshal(out.Bytes(), &e), out.String())
		require.Equal(t, cniconf.CodeConfig, e.Code, e.Error())
		require.Contains(t, e.Msg, says)
	}
}
