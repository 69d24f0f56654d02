package kube

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
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

// A token that is replaced is used at once when the old one is refused.
func TestTokenThatIsReplaced(t *testing.T) {
	api := kubetest.New()
	api.Token = "first"
	api.PutNamespace(metav1.ObjectMeta{Name: "red"})
	api.PutPod("node1", web("1"))
	expected := "Bearer first"
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("Authorization") != expected {
			kubetest.Fail(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")
			return
		}
		r.Header.Set("Authorization", "Bearer first")
		api.ServeHTTP(w, r)
	}))
	defer server.Close()
	token := write(t, "first\n")
	c, err := New(Options{Access: Access{Server: server.URL, TokenFile: token}, Node: "node1", Logger: slog.Default()})
	require.NoError(t, err)
	_, err = c.Pod(t.Context(), "red", "web", "1")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(token, []byte("second\n"), 0o600))
	mu.Lock()
	expected = "Bearer second"
	mu.Unlock()
	_, err = c.Pod(t.Context(), "red", "web", "1")
	require.NoError(t, err)
	server.CloseClientConnections()
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
