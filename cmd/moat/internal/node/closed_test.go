package node

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/moat/internal/config"
)

func TestPortsThatAreClosedToPods(t *testing.T) {
	for name, c := range map[string]struct {
		listen    string
		endpoints []string
		apis      []string
		closed    []uint16
		refused   string
	}{
		"the API on the loopback":          {listen: "127.0.0.1:8181"},
		"the API on the loopback by name":  {listen: "localhost:8181"},
		"the API on IPv6's loopback":       {listen: "[::1]:8181"},
		"the API on all addresses":         {listen: ":8181", closed: []uint16{8181}},
		"the API on all addresses, zero":   {listen: "0.0.0.0:8181", closed: []uint16{8181}},
		"the API on one address":           {listen: "192.0.2.10:8282", closed: []uint16{8282}},
		"a port without number":            {listen: "0.0.0.0:http", refused: `listen "0.0.0.0:http": port "http" is no number`},
		"any port":                         {listen: "0.0.0.0:0", refused: `listen "0.0.0.0:0"`},
		"etcd on the loopback":             {listen: "127.0.0.1:8181", endpoints: []string{"http://127.0.0.1:2379"}, closed: []uint16{2379}},
		"etcd by this machine's name":      {listen: "127.0.0.1:8181", endpoints: []string{"https://localhost:2379"}, closed: []uint16{2379}},
		"etcd without a scheme":            {listen: "127.0.0.1:8181", endpoints: []string{"127.0.0.1:2379", "localhost:2381"}, closed: []uint16{2379, 2381}},
		"etcd on IPv6's loopback":          {listen: "127.0.0.1:8181", endpoints: []string{"http://[::1]:2379", "[::1]:2381"}, closed: []uint16{2379, 2381}},
		"etcd by a name of this machine's": {listen: "127.0.0.1:8181", endpoints: []string{"https://etcd.here:2379", "etcd.here:2381"}, closed: []uint16{2379, 2381}},
		"etcd elsewhere":                   {listen: "127.0.0.1:8181", endpoints: []string{"https://198.51.100.7:443", "198.51.100.7:443", "https://etcd.invalid:443"}},
		"etcd at a unix socket":            {listen: "127.0.0.1:8181", endpoints: []string{"unix:///run/etcd.sock", "unix:/run/etcd.sock"}},
		"another process's API":            {listen: "127.0.0.1:8181", apis: []string{"http://127.0.0.1:8191/midonet-api", "http://198.51.100.7:8192/midonet-api"}, closed: []uint16{8191}},
		"both at one port, and etcd twice": {listen: ":2379", endpoints: []string{"http://127.0.0.1:2379", "http://127.0.0.1:2381"}, closed: []uint16{2379, 2381}},
	} {
		t.Run(name, func(t *testing.T) {
			conf := config.Config{Listen: c.listen}
			conf.Etcd.Endpoints, conf.Endpoint.URLs = c.endpoints, c.apis
			closed, err := closedPorts(conf, names)
			if c.refused != "" {
				require.ErrorContains(t, err, c.refused)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.closed, closed)
		})
	}
}

// names knows one name, of this machine's.
func names(_ context.Context, _, host string) ([]netip.Addr, error) {
	if host != "etcd.here" {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("127.0.1.1")}, nil
}
