package node

import (
	"context"
	"fmt"
	"time"
)

const (
	// quotaWarning is the share of etcd's quota, in percent, from which on an
	// operator is warned: at 100 etcd takes no more writes.
	quotaWarning = 80
	// askPatience bounds the question to one member of etcd.
	askPatience = time.Second
)

// warnings says what an operator should see to before it stops pods from being
// attached: members of etcd that do not answer, their alarms, and databases near
// their quota.
func (s *store) warnings(ctx context.Context) (list []string) {
	for _, endpoint := range s.client.Endpoints() {
		asked, cancel := context.WithTimeout(ctx, askPatience)
		st, err := s.client.Status(asked, endpoint)
		cancel()
		if err != nil {
			list = append(list, fmt.Sprintf("etcd at %s does not say how it is: %v", endpoint, err))
			continue
		}
		for _, alarm := range st.Errors {
			list = append(list, fmt.Sprintf("etcd at %s: %s", endpoint, alarm))
		}
		if quota := st.DbSizeQuota; quota > 0 && st.DbSize*100 >= quota*quotaWarning {
			list = append(list, fmt.Sprintf("etcd at %s: its database has %d MiB of a quota of %d MiB; compact and defragment it, or raise the quota (embedded.quotaBytes)",
				endpoint, st.DbSize>>20, quota>>20))
		}
	}
	return list
}
