package crash

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// lives takes a pod among the living: it has nothing that another of them has.
func (s *storm) lives(p *lab.Pod) {
	s.t.Helper()
	for _, q := range s.living {
		require.NotEqual(s.t, q.Address, p.Address, "%s and %s have one address", name(q), name(p))
		require.NotEqual(s.t, q.Result.Interfaces[1].Mac, p.Result.Interfaces[1].Mac, "%s and %s have one MAC", name(q), name(p))
		require.NotEqual(s.t, q.Result.Interfaces[0].Name, p.Result.Interfaces[0].Name, "%s and %s have one interface", name(q), name(p))
		require.Equal(s.t, q.Tenant == p.Tenant, q.Result.Interfaces[0].Sandbox == p.Result.Interfaces[0].Sandbox,
			"%s and %s share a namespace as they share a tenant", name(q), name(p))
	}
	s.living = append(s.living, p)
}

// unique says that every pod that lives has one record, one address and one port,
// no tenant has two routers and no two bridges have one name, and no two ports one
// interface.
func (s *storm) unique() {
	s.t.Helper()
	held := map[string][]string{} // addresses by container ID
	for key, value := range s.keys("ipam/v1/addresses/") {
		holder := strings.Split(value, "/") // attachments/NODE/NETWORK/CONTAINER/INTERFACE
		require.Len(s.t, holder, 5, value)
		held[holder[3]] = append(held[holder[3]], key)
	}
	ports := s.topology()
	for _, p := range s.living {
		require.Equal(s.t, []string{p.Tenant + "/" + padded(p.Address)}, held[p.ID], name(p))
		require.Equal(s.t, 1, ports[p.Result.Interfaces[0].Name], "ports of %s", name(p))
	}
}

// topology looks for doubles over REST and counts ports by their interfaces.
func (s *storm) topology() map[string]int {
	s.t.Helper()
	rest, err := s.daemon.REST(s.t.Context(), netip.MustParseAddrPort("127.0.0.1:8181"))
	require.NoError(s.t, err)
	list := func(path, media string) []map[string]any {
		found, err := rest.List(s.t.Context(), path, media)
		require.NoError(s.t, err)
		return found
	}
	routers, bridges, interfaces := map[string]int{}, map[string]int{}, map[string]int{}
	for _, r := range list("/routers", "Router-v3") {
		routers[fmt.Sprint(r["tenantId"])]++
	}
	for _, b := range list("/bridges", "Bridge-v4") {
		bridges[fmt.Sprint(b["tenantId"], " ", b["name"])]++
		for _, p := range list(fmt.Sprintf("/bridges/%s/ports", b["id"]), "Port-v3") {
			if on, bound := p["interfaceName"].(string); bound && on != "" {
				interfaces[on]++
			}
		}
	}
	require.NotEmpty(s.t, routers)
	for kind, counts := range map[string]map[string]int{"routers of tenant": routers, "bridges": bridges, "ports bound to": interfaces} {
		for of, n := range counts {
			require.Equal(s.t, 1, n, "%s %s", kind, of)
		}
	}
	return interfaces
}

// keys reads what etcd has below a prefix of Moat's.
func (s *storm) keys(below string) map[string]string {
	s.t.Helper()
	prefix := "/moat/" + below
	res, err := s.place.Etcd.Get(s.t.Context(), prefix, clientv3.WithPrefix())
	require.NoError(s.t, err)
	all := map[string]string{}
	for _, kv := range res.Kvs {
		all[strings.TrimPrefix(string(kv.Key), prefix)] = string(kv.Value)
	}
	return all
}

// padded is an address as keys have it, so that their order is the addresses'.
func padded(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("%03d.%03d.%03d.%03d", b[0], b[1], b[2], b[3])
}
