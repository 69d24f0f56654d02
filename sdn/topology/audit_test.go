package topology

import (
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// requireSound holds a topology to what must be true at any time.
func requireSound(t *testing.T, top *Topology) {
	t.Helper()
	require.NoError(t, top.Audit())
}

// nothingLeft demands that only what newSite made is stored.
func (s *site) nothingLeft(t *testing.T) {
	t.Helper()
	requireSound(t, s.Topology)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for k := range s.graph.facts {
		switch k.kind {
		case sdn.KindHost, sdn.KindTunnelZone, kindMember, kindZoneName, kindMeta:
		default:
			require.Fail(t, "left over", "%s", k)
		}
	}
}

// TestAuditFindsWhatIsWrong puts facts into the store that no write of a
// Topology makes.
func TestAuditFindsWhatIsWrong(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	c := server.Client()
	for name, wrong := range map[string]struct {
		key, value, want string
	}{
		"a port that no device has":    {"port/p", `{"object":{"ID":"p","Kind":"Bridge","Device":"gone"}}`, "port/p is stored and nobody sees it"},
		"a member of no group":         {"pgport/g/p", `{"object":{"Group":"g","Port":"p"}}`, "pgport/g/p is stored and nobody sees it"},
		"an entry of no bridge":        {"arp/b/192.0.2.1/m", `{"object":{"Bridge":"b","Addr":"192.0.2.1","MAC":"m"}}`, "nobody sees it"},
		"an interface that no one has": {"bind/h/e", `{"object":"p"}`, "bind/h/e is stored and nobody sees it"},
		"a prefix that no one has":     {"prefix/b/10.0.0.0_8", `{"object":"s"}`, "nobody sees it"},
		"an order of no chain":         {"order/c", `{"object":["r"]}`, "nobody sees it"},
		"a dangling filter":            {"router/r", `{"object":{"ID":"r","Forward":"gone"}}`, "what is stored refers to what readers do not see"},
		"a zone without its name":      {"zone/z", `{"object":{"ID":"z","Name":"n","Type":"gre"}}`, "zone z does not hold its name"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Delete(t.Context(), defaultPrefix, clientv3.WithPrefix())
			require.NoError(t, err)
			top := openTest(t, c, Options{})
			requireSound(t, top)
			_, err = c.Put(t.Context(), defaultPrefix+wrong.key, wrong.value)
			require.NoError(t, err)
			_, err = c.Put(t.Context(), defaultPrefix+"meta/head", `{"object":0}`)
			require.NoError(t, err)
			_, err = top.Routers(t.Context(), "")
			require.NoError(t, err)
			require.ErrorContains(t, top.Audit(), wrong.want)
		})
	}
}

// TestAuditComparesMemoryWithTheStore changes the one without the other.
func TestAuditComparesMemoryWithTheStore(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	s := furnish(t, openTest(t, server.Client(), Options{}))
	k := key{sdn.KindRouter, string(s.router(t))}
	right := s.graph.facts[k]
	for want, f := range map[string]fact{
		"is stored at revision":             {},
		"is not in memory what it is in":    {key: k, body: sdn.Router{ID: "other"}, mod: right.mod, created: right.created},
		"the picture of kind router is not": {key: k, body: sdn.Router{ID: "other"}, mod: right.mod, created: right.created},
	} {
		s.mu.Lock()
		if s.graph.facts[k] = f; f.body == nil {
			delete(s.graph.facts, k)
		}
		s.mu.Unlock()
		require.ErrorContains(t, s.Audit(), want)
	}
	s.mu.Lock()
	s.graph.facts[k] = right
	s.graph.facts[key{sdn.KindRouter, "more"}] = right
	s.mu.Unlock()
	require.ErrorContains(t, s.Audit(), "is in memory and not stored")
}
