package embedetcd

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn/sdntest/heard"
)

const (
	patience = 20 * time.Second
	often    = 10 * time.Millisecond
)

func startTest(t *testing.T, cfg Config) (*Server, *heard.Log) {
	t.Helper()
	if cfg.Dir == "" {
		dir, err := os.MkdirTemp("", "etcd")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
		cfg.Dir = dir
	}
	said := &heard.Log{}
	cfg.Log = said.Logger()
	s, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s, said
}

// fill puts keys below a prefix until etcd refuses.
func fill(t *testing.T, c *clientv3.Client, prefix string) (n int) {
	t.Helper()
	var err error
	for ; err == nil && n < 10_000; n++ {
		_, err = c.Put(t.Context(), fmt.Sprint(prefix, n), strings.Repeat("x", 16<<10))
	}
	require.ErrorIs(t, err, rpctypes.ErrNoSpace)
	return n
}

// fillForGood fills until the server has said that it is full: as long as it finds
// room by defragmenting, a refusal is not the last one.
func fillForGood(t *testing.T, s *Server, said *heard.Log, prefix string) (n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(said.String(), "is full"); time.Sleep(often) {
		require.True(t, time.Now().Before(end), "the server does not say that it is full:\n%s", said)
		n += fill(t, s.Client(), fmt.Sprint(prefix, n, "/"))
	}
	return n
}

func put(s *Server, key string) error {
	_, err := s.client.Put(context.Background(), key, "v")
	return err
}

func TestFullOfWhatLivesRefusesWritesUntilItIsDeleted(t *testing.T) {
	s, said := startTest(t, Config{QuotaBytes: 4 << 20})
	require.NoError(t, put(s, "own"))
	require.Greater(t, fillForGood(t, s, said, "foreign/"), 100)
	require.ErrorIs(t, put(s, "more"), rpctypes.ErrNoSpace, "what lives is not taken away")
	got, err := s.Client().Get(t.Context(), "own")
	require.NoError(t, err, "reads go on")
	require.Len(t, got.Kvs, 1)
	_, err = s.Client().Txn(t.Context()).If(clientv3.Compare(clientv3.CreateRevision("own"), ">", 0)).Then(clientv3.OpDelete("own")).Commit()
	require.NoError(t, err, "deletions go on")

	_, err = s.Client().Delete(t.Context(), "foreign/", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Eventually(t, func() bool { return put(s, "again") == nil }, patience, often, "by itself")
	require.Eventually(t, func() bool { return strings.Contains(said.String(), "takes writes again") }, patience, often)
	size, _ := sizes(s)
	require.Less(t, size, int64(1<<20), "defragmented")
	require.Equal(t, 1, strings.Count(said.String(), "level=ERROR"), "said once:\n%s", said)
}

func TestFullOfHistoryRecoversByItself(t *testing.T) {
	s, said := startTest(t, Config{QuotaBytes: 4 << 20})
	value := strings.Repeat("x", 64<<10)
	refused := 0
	for range 1000 { // sixteen times the quota, of one key
		_, err := s.Client().Put(t.Context(), "one", value)
		if err == nil {
			continue
		}
		require.ErrorIs(t, err, rpctypes.ErrNoSpace)
		refused++
		require.Eventually(t, func() bool { return put(s, "again") == nil }, patience, often)
	}
	t.Logf("refused %d times\n%s", refused, said)
	require.NotContains(t, said.String(), "level=ERROR", "there was room all the time")
	got, err := s.Client().Get(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, value, string(got.Kvs[0].Value))
}

func TestFullAtItsEndIsServedAgainWithALargerQuota(t *testing.T) {
	dir, err := os.MkdirTemp("", "etcd")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	s, said := startTest(t, Config{Dir: dir, QuotaBytes: 4 << 20})
	fillForGood(t, s, said, "k")
	s.Close()

	s, said = startTest(t, Config{Dir: dir, QuotaBytes: 4 << 20})
	require.ErrorIs(t, put(s, "more"), rpctypes.ErrNoSpace)
	require.Contains(t, said.String(), "is full", "known as soon as it serves")
	s.Close()

	s, said = startTest(t, Config{Dir: dir, QuotaBytes: 8 << 20})
	require.NoError(t, put(s, "more"), "at once")
	require.Contains(t, said.String(), "takes writes again")
}

func TestHistoryIsCompactedToTheRevisionsAsked(t *testing.T) {
	s, _ := startTest(t, Config{Revisions: 100})
	for i := range 150 {
		require.NoError(t, put(s, fmt.Sprint(i%3)))
	}
	k := Config{Revisions: 100}.keeper(s)
	require.NoError(t, k.look(t.Context()))
	_, err := s.Client().Get(t.Context(), "0", clientv3.WithRev(2))
	require.NoError(t, err, "less than twice as many are kept")
	for i := range 150 {
		require.NoError(t, put(s, fmt.Sprint(i%3)))
	}
	require.Eventually(t, func() bool {
		_, err := s.Client().Get(t.Context(), "0", clientv3.WithRev(2))
		return err == rpctypes.ErrCompacted
	}, patience, often)
	got, err := s.Client().Get(t.Context(), "0")
	require.NoError(t, err)
	_, err = s.Client().Get(t.Context(), "0", clientv3.WithRev(got.Header.Revision-99))
	require.NoError(t, err)
}

func TestNearlyEmptyIsDefragmentedInAQuietMoment(t *testing.T) {
	s, said := startTest(t, Config{QuotaBytes: 4 << 20})
	for i := 0; ; i++ {
		size, _ := sizes(s)
		if size*100 >= 85*(4<<20) {
			break
		}
		_, err := s.Client().Put(t.Context(), fmt.Sprint("k", i), strings.Repeat("x", 16<<10))
		require.NoError(t, err)
		s.etcd.Server.Backend().ForceCommit()
	}
	_, err := s.Client().Delete(t.Context(), "k", clientv3.WithPrefix())
	require.NoError(t, err)
	_, err = s.Client().Compact(t.Context(), s.etcd.Server.KV().Rev(), clientv3.WithCompactPhysical())
	require.NoError(t, err)
	for range 2 { // what a commit frees is counted by the next, which there is if something is written
		require.NoError(t, put(s, "after"))
		s.etcd.Server.Backend().ForceCommit()
	}
	require.Eventually(t, func() bool {
		size, _ := sizes(s)
		return size < 1<<20
	}, patience, often)
	require.Eventually(t, func() bool { return strings.Contains(said.String(), "defragmented") }, patience, often, "which is said after it")
	require.NotContains(t, said.String(), "full")
}

func sizes(s *Server) (size, used int64) {
	return s.etcd.Server.Backend().Size(), s.etcd.Server.Backend().SizeInUse()
}
