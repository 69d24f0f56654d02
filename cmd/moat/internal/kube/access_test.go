package kube

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/moatnet/moat/cmd/internal/kubetest"
)

func write(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const kubeconfig = `{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: k, user: u}}],
clusters: [{name: k, cluster: {server: %q, certificate-authority: %q}}], users: [{name: u, user: %s}]}`

func TestAccessThatCannotBeUsed(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for want, a := range map[string]Access{
		"kubernetes.kubeconfig: ":                  {Kubeconfig: "/no/such/file"},
		"kubernetes.kubeconfig: error loading":     {Kubeconfig: write(t, "{")},
		`by the program "aws"`:                     {Kubeconfig: write(t, fmt.Sprintf(kubeconfig, "https://h", "", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, interactiveMode: Never}}"))},
		`by the provider "oidc"`:                   {Kubeconfig: write(t, fmt.Sprintf(kubeconfig, "https://h", "", "{auth-provider: {name: oidc}}"))},
		"kubernetes.inCluster: ":                   {InCluster: true},
		"kubernetes.caFile: open /no/such/file":    {Server: "https://h", CAFile: "/no/such/file"},
		"kubernetes.tokenFile: open /no/such/file": {Server: "https://h", TokenFile: "/no/such/file"},
		"kubernetes: unable to load root":          {Server: "https://h", CAFile: write(t, "no certificate")},
	} {
		_, err := New(Options{Access: a, Node: "node1", Logger: slog.Default()})
		require.ErrorContains(t, err, want)
	}
	_, err := New(Options{Logger: slog.Default()})
	require.Error(t, err)
}

func TestAccessByTokenAndCA(t *testing.T) {
	api := kubetest.New()
	api.Token = "secret"
	api.PutNamespace(metav1.ObjectMeta{Name: "red"})
	api.PutPod("node1", web("1"))
	server := httptest.NewTLSServer(api)
	defer server.Close()
	ca := write(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	token := write(t, "secret\n")
	for name, a := range map[string]Access{
		"a server":     {Server: server.URL, CAFile: ca, TokenFile: token},
		"a kubeconfig": {Kubeconfig: write(t, fmt.Sprintf(kubeconfig, server.URL, ca, "{tokenFile: "+token+"}"))},
	} {
		c, err := New(Options{Access: a, Node: "node1", Logger: slog.Default()})
		require.NoError(t, err, name)
		p, err := c.Pod(t.Context(), "red", "web", "1")
		require.NoError(t, err, "without Run each question goes to the API server")
		require.Equal(t, "10.0.0.1", p.Annotations["moat.dev/ip"])
	}
	c, err := New(Options{Access: Access{Server: server.URL, CAFile: ca, TokenFile: write(t, "wrong")}, Node: "node1", Logger: slog.Default()})
	require.NoError(t, err)
	_, err = c.Pod(t.Context(), "red", "web", "1")
	require.ErrorIs(t, err, ErrRefused)
	server.CloseClientConnections()
}
