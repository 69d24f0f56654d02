package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// ipamPrefix is where Moat's address management keeps its records.
const ipamPrefix = "/moat/ipam/v1/"

// sdnPrefix is where the topology is stored.
const sdnPrefix = "/moat/sdn/"

// records reads what Moat's address management keeps in an etcd.
type records struct {
	t      *testing.T
	client *clientv3.Client
}

func newRecords(t *testing.T, endpoint string) records {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return records{t, c}
}

// of counts the keys that are a tenant's, by kind: an attachment and a slot are
// whose their value says. A slot that cools down is nobody's.
func (r records) of(tenant string) map[string]int {
	r.t.Helper()
	res, err := r.client.Get(r.t.Context(), ipamPrefix, clientv3.WithPrefix())
	require.NoError(r.t, err)
	require.NotEmpty(r.t, res.Kvs, "the installation's own record is there")
	count := map[string]int{}
	for _, kv := range res.Kvs {
		key := strings.TrimPrefix(string(kv.Key), ipamPrefix)
		kind, rest, _ := strings.Cut(key, "/")
		switch kind {
		case "installation", "networks": // the whole installation's
		case "tenants", "addresses", "freed", "ranges": // "ranges" alone is of no tenant
			if owner, _, _ := strings.Cut(rest, "/"); owner == tenant {
				count[kind]++
			}
		case "slots", "attachments":
			var v struct {
				Tenant  string
				FreedAt *time.Time
			}
			require.NoError(r.t, json.Unmarshal(kv.Value, &v), key)
			if v.Tenant == tenant && v.FreedAt == nil {
				if kind == "slots" {
					kind, _, _ = strings.Cut(rest, "/")
					kind += " slots"
				}
				count[kind]++
			}
		default:
			require.Fail(r.t, "a record that no count knows", key)
		}
	}
	return count
}

// boundPorts counts the ports, as the topology stores them, that are bound to the
// interfaces of a tenant's attachments.
func (r records) boundPorts(tenant string) (bound int) {
	r.t.Helper()
	ports, err := r.client.Get(r.t.Context(), sdnPrefix+"port/", clientv3.WithPrefix())
	require.NoError(r.t, err)
	stored := map[string]string{}
	for _, kv := range ports.Kvs {
		stored[strings.TrimPrefix(string(kv.Key), sdnPrefix+"port/")] = string(kv.Value)
	}
	records, err := r.client.Get(r.t.Context(), ipamPrefix+"attachments/", clientv3.WithPrefix())
	require.NoError(r.t, err)
	for _, kv := range records.Kvs {
		var v struct{ Tenant, Port, HostInterface string }
		require.NoError(r.t, json.Unmarshal(kv.Value, &v), string(kv.Key))
		if v.Tenant == tenant && v.HostInterface != "" && strings.Contains(stored[v.Port], v.HostInterface) {
			bound++
		}
	}
	return bound
}

// freedSlots counts the slots that cool down.
func (r records) freedSlots() int {
	r.t.Helper()
	res, err := r.client.Get(r.t.Context(), ipamPrefix+"slots/", clientv3.WithPrefix())
	require.NoError(r.t, err)
	freed := 0
	for _, kv := range res.Kvs {
		if strings.Contains(string(kv.Value), "freedAt") {
			freed++
		}
	}
	return freed
}
