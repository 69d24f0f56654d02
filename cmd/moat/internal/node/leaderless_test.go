package node

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

func reads() *etcdserverpb.TxnRequest {
	get := &etcdserverpb.RequestOp{Request: &etcdserverpb.RequestOp_RequestRange{RequestRange: &etcdserverpb.RangeRequest{}}}
	inner := &etcdserverpb.RequestOp{Request: &etcdserverpb.RequestOp_RequestTxn{RequestTxn: &etcdserverpb.TxnRequest{Success: []*etcdserverpb.RequestOp{get}}}}
	return &etcdserverpb.TxnRequest{Success: []*etcdserverpb.RequestOp{get, inner}}
}

func writes() *etcdserverpb.TxnRequest {
	put := &etcdserverpb.RequestOp{Request: &etcdserverpb.RequestOp_RequestPut{RequestPut: &etcdserverpb.PutRequest{}}}
	inner := &etcdserverpb.RequestOp{Request: &etcdserverpb.RequestOp_RequestTxn{RequestTxn: &etcdserverpb.TxnRequest{Failure: []*etcdserverpb.RequestOp{put}}}}
	return &etcdserverpb.TxnRequest{Success: []*etcdserverpb.RequestOp{inner}}
}

// What failed for want of a leader is asked again only where nothing can have been
// done of it.
func TestCallsWithoutALeaderGoElsewhere(t *testing.T) {
	const txn = "/etcdserverpb.KV/Txn"
	for what, c := range map[string]struct {
		method string
		req    any
		err    error
		asked  int
	}{
		"a write that was refused":            {txn, writes(), rpctypes.ErrGRPCNoLeader, 3},
		"a read that was refused":             {txn, reads(), rpctypes.ErrGRPCNoLeader, 3},
		"a lease that was refused":            {"/etcdserverpb.Lease/LeaseGrant", &etcdserverpb.LeaseGrantRequest{}, rpctypes.ErrGRPCNoLeader, 3},
		"a read under another leader":         {txn, reads(), rpctypes.ErrGRPCLeaderChanged, 3},
		"a range under another leader":        {"/etcdserverpb.KV/Range", &etcdserverpb.RangeRequest{}, rpctypes.ErrGRPCLeaderChanged, 3},
		"a write that may have been done":     {txn, writes(), rpctypes.ErrGRPCLeaderChanged, 1},
		"a put that may have been done":       {"/etcdserverpb.KV/Put", &etcdserverpb.PutRequest{}, rpctypes.ErrGRPCLeaderChanged, 1},
		"a write of which nothing was heard":  {txn, writes(), rpctypes.ErrGRPCTimeoutDueToLeaderFail, 1},
		"a member that is asked about itself": {"/etcdserverpb.Maintenance/Status", &etcdserverpb.StatusRequest{}, rpctypes.ErrGRPCNoLeader, 1},
	} {
		t.Run(what, func(t *testing.T) {
			asked := 0
			err := elsewhere(t.Context(), c.method, c.req, nil, nil, func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
				md, _ := metadata.FromOutgoingContext(ctx)
				require.Equal(t, c.method != "/etcdserverpb.Maintenance/Status", len(md.Get(rpctypes.MetadataRequireLeaderKey)) == 1)
				if asked++; asked < 3 {
					return c.err
				}
				return nil
			})
			require.Equal(t, c.asked, asked)
			require.Equal(t, c.asked == 3, err == nil, "%v", err)
		})
	}
}

// Who has no more time is told what is wrong, and not that time is up.
func TestWantOfALeaderIsSaidAtTheEnd(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*leaderPause)
	defer cancel()
	err := elsewhere(ctx, "/etcdserverpb.KV/Txn", writes(), nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
		return rpctypes.ErrGRPCNoLeader
	})
	require.ErrorIs(t, rpctypes.Error(err), rpctypes.ErrNoLeader)
}
