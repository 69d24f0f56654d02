package node

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEndpointOfTheWrongSchemeIsSaidSo(t *testing.T) {
	nothing := http.NotFoundHandler()
	plain := httptest.NewServer(nothing)
	t.Cleanup(plain.Close)
	for name, config := range map[string]*tls.Config{
		"open":                             {},
		"wants a certificate":              {ClientAuth: tls.RequireAnyClientCert},
		"wants a certificate, of TLS 1.2":  {ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12},
		"wants what no client of ours has": {MaxVersion: tls.VersionTLS11},
	} {
		t.Run(name, func(t *testing.T) {
			secret := httptest.NewUnstartedServer(nothing)
			secret.TLS = config
			secret.StartTLS()
			t.Cleanup(secret.Close)
			err := connect(t.Context(), strings.Replace(secret.URL, "https", "http", 1), nil)
			require.ErrorContains(t, err, "the server speaks TLS, the endpoint says http: write "+secret.URL)
		})
	}
	require.NoError(t, connect(t.Context(), plain.URL, nil))
	err := connect(t.Context(), strings.Replace(plain.URL, "http", "https", 1), nil)
	require.ErrorContains(t, err, "the server does not speak TLS, the endpoint says https: write "+plain.URL)
}
