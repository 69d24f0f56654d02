package node

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

const (
	// leaderPatience is for how long a call that its caller does not bound is asked
	// again: as long as a member of etcd that has no leader would keep it waiting.
	leaderPatience = 5 * time.Second
	// leaderPause lies between two such questions; each goes to the next member.
	leaderPause = 50 * time.Millisecond
)

// needsLeader are the services of etcd whose calls are of no use without a leader.
var needsLeader = []string{"/etcdserverpb.KV/", "/etcdserverpb.Lease/"}

// elsewhere has calls for keys and leases refused at once by a member that has no
// leader, because it is cut off from the others or they elect one, and asks the next
// member. Without it every call that comes to a member that is alone, one in three,
// waits there in vain.
func elsewhere(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if !slices.ContainsFunc(needsLeader, func(service string) bool { return strings.HasPrefix(method, service) }) {
		return invoke(ctx, method, req, reply, conn, opts...)
	}
	ctx = clientv3.WithRequireLeader(ctx)
	end := time.Now().Add(leaderPatience)
	for {
		err := invoke(ctx, method, req, reply, conn, opts...)
		if !leaderless(err, req) || time.Now().After(end) {
			return err
		}
		select {
		case <-time.After(leaderPause):
		case <-ctx.Done():
			return err // which says more than that time is up
		}
	}
}

// leaderless says whether a call failed for want of a leader and can be repeated. A
// member that has none did nothing of the call, so that a write can be, too; one whose
// leader changed meanwhile may have passed it on.
func leaderless(err error, req any) bool {
	err = rpctypes.Error(err)
	return errors.Is(err, rpctypes.ErrNoLeader) || errors.Is(err, rpctypes.ErrLeaderChanged) && readsOnly(req)
}

func readsOnly(req any) bool {
	switch r := req.(type) {
	case *etcdserverpb.RangeRequest:
		return true
	case *etcdserverpb.TxnRequest:
		return !slices.ContainsFunc(slices.Concat(r.Success, r.Failure), func(op *etcdserverpb.RequestOp) bool {
			if inner := op.GetRequestTxn(); inner != nil {
				return !readsOnly(inner)
			}
			return op.GetRequestRange() == nil
		})
	}
	return false
}
