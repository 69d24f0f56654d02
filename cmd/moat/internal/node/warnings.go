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
	// maxKept is how many differences between tenants and configuration are listed.
	maxKept = 10
)

// warnings says what an operator should see to before it stops pods from being
// attached: members of etcd that do not answer, their alarms, and databases near
// their quota.
func (s *store) warnings(ctx context.Context) (list []string) {
	if s.usage != nil {
		return s.usageWarnings()
	}
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
			list = append(list, fmt.Sprintf("etcd at %s: its database has %d MiB of a quota of %d MiB; compact and defragment it, or raise the quota (--quota-backend-bytes of etcd)",
				endpoint, st.DbSize>>20, quota>>20))
		}
	}
	return list
}

// keptWarnings says what tenants keep against the configuration.
func (b *base) keptWarnings(ctx context.Context) []string {
	asked, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	tenants, err := b.ledger.Tenants(asked)
	if err != nil {
		return nil // the status itself says that the store does not answer
	}
	list := b.networks.Kept(tenants)
	if more := len(list) - maxKept; more > 0 {
		list = append(list[:maxKept], fmt.Sprintf("%d further differences: tenants keep what the configuration does not say any more", more))
	}
	for i := range list {
		list[i] = "configuration " + list[i]
	}
	return list
}

// usageWarnings is warnings for the embedded etcd, which compacts and
// defragments itself.
func (s *store) usageWarnings() []string {
	if err := s.room(); err != nil {
		return []string{err.Error()}
	}
	if u := s.usage(); u.InUse*100 >= u.Quota*quotaWarning {
		return []string{fmt.Sprintf("etcd %s: %d MiB of its quota of %d MiB are in use; from %d %% on no pod is attached: delete what is not needed, or raise the quota (configuration embedded.quotaBytes)",
			s.where, u.InUse>>20, u.Quota>>20, reserved)}
	}
	return nil
}
