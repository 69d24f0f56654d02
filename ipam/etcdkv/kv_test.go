package etcdkv_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ipamtest"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn/embedetcd"
)

func start(t *testing.T) (s *embedetcd.Server, stop func()) {
	return startWith(t, embedetcd.Config{})
}

func startWith(t *testing.T, cfg embedetcd.Config) (s *embedetcd.Server, stop func()) {
	dir, err := os.MkdirTemp("", "i")
	require.NoError(t, err)
	cfg.Dir = dir
	s, err = embedetcd.Start(t.Context(), cfg)
	require.NoError(t, err)
	stop = sync.OnceFunc(s.Close)
	t.Cleanup(func() { stop(); require.NoError(t, os.RemoveAll(dir)) })
	return s, stop
}

func TestLedgerInEtcd(t *testing.T) {
	s, _ := start(t)
	n := 0
	ipamtest.TestStore(t, func(*testing.T) ipamtest.Open {
		n++
		prefix := fmt.Sprintf("/test%d/", n)
		return func(o ipamtest.Options) ipam.Store {
			return ledger.New(etcdkv.New(s.Client(), prefix),
				ledger.Options{AddressCoolDown: o.AddressCoolDown, SlotCoolDown: o.SlotCoolDown, Ports: o.Ports, Now: o.Now})
		}
	})
	got, err := s.Client().Get(t.Context(), "/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	require.NoError(t, err)
	require.NotEmpty(t, got.Kvs)
	for _, kv := range got.Kvs {
		require.True(t, strings.HasPrefix(string(kv.Key), "/test"), "%s", kv.Key)
	}
}

func TestEtcdGoneIsUnavailableInTime(t *testing.T) {
	s, stop := start(t)
	l := ledger.New(etcdkv.New(s.Client(), "/moat"), ledger.Options{})
	_, err := l.EnsureInstallation(t.Context(), ipam.Defaults("test"))
	require.NoError(t, err)
	c, err := s.NewClient()
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	l = ledger.New(etcdkv.New(c, "/moat"), ledger.Options{})
	stop()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = l.Attachment(ctx, ipam.Attachment{Node: "n", Network: "m", ContainerID: "c", IfName: "e"})
	require.ErrorIs(t, err, ipam.ErrUnavailable)
	require.WithinDuration(t, time.Now(), deadline(ctx), 5*time.Second)
}

func deadline(ctx context.Context) time.Time { d, _ := ctx.Deadline(); return d }
