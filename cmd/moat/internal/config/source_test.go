package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBadNetworkSourcesNameTheirKey(t *testing.T) {
	for key, spoil := range map[string]func(*RawNetworkSource){
		`networkSource.url: "networks:80/x"`:                           func(s *RawNetworkSource) { s.URL = "networks:80/x" },
		`networkSource.url: "ftp://h"`:                                 func(s *RawNetworkSource) { s.URL = "ftp://h" },
		`networkSource.url: "https:///pods"`:                           func(s *RawNetworkSource) { s.URL = "https:///pods" },
		`networkSource.url: "https://u:p@h"`:                           func(s *RawNetworkSource) { s.URL = "https://u:p@h" },
		`networkSource.url: "https://h/#x"`:                            func(s *RawNetworkSource) { s.URL = "https://h/#x" },
		"networkSource.timeout: 0s":                                    func(s *RawNetworkSource) { s.Timeout = "0s" },
		"networkSource.timeout: time":                                  func(s *RawNetworkSource) { s.Timeout = "soon" },
		`networkSource.networksDir: "net.d"`:                           func(s *RawNetworkSource) { s.NetworksDir = "net.d" },
		`networkSource.namespaces[1]: "No"`:                            func(s *RawNetworkSource) { s.Namespaces = []string{"a", "No"} },
		"networkSource.certFile and networkSource.keyFile":             func(s *RawNetworkSource) { s.CertFile = "/c" },
		"networkSource.username and networkSource.passwordFile":        func(s *RawNetworkSource) { s.Username = "u" },
		"networkSource.tokenFile and networkSource.username":           func(s *RawNetworkSource) { s.TokenFile, s.Username, s.PasswordFile = "/t", "u", "/p" },
		"networkSource.tokenFile and networkSource.passwordFile: need": func(s *RawNetworkSource) { s.URL, s.TokenFile = "http://h", "/t" },
		"networkSource.caFile and networkSource.certFile: need https":  func(s *RawNetworkSource) { s.URL, s.CAFile = "http://h", "/c" },
	} {
		raw := Defaults()
		raw.NetworkSource.URL = "https://networks.example/pods"
		spoil(&raw.NetworkSource)
		_, err := raw.Valid()
		require.ErrorContains(t, err, key)
	}
}

func TestNetworkSource(t *testing.T) {
	raw := Defaults()
	c, err := raw.Valid()
	require.NoError(t, err)
	require.Zero(t, c.NetworkSource, "there is none unless it is asked for")

	raw.NetworkSource.URL, raw.NetworkSource.TokenFile = "http://127.0.0.1:8080/pods?cluster=a", "/t"
	c, err = raw.Valid()
	require.NoError(t, err)
	require.Equal(t, NetworkSource{URL: "http://127.0.0.1:8080/pods?cluster=a", Timeout: 5 * time.Second, TokenFile: "/t",
		NetworksDir: "/etc/moat/net.d", Required: true}, c.NetworkSource)
}
