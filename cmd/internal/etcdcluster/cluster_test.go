package etcdcluster

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/moatnet/moat/cmd/internal/lab"
)

const patience = time.Minute

// bin is the folder of the program.
var bin string

func TestMain(m *testing.M) { os.Exit(withProgram(m)) }

func withProgram(m *testing.M) int {
	dir, err := lab.Build(nil, Program)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	return m.Run()
}

func start(t *testing.T, o Options) *Cluster {
	l, err := lab.New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	o.Bin = bin
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := Start(ctx, l, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, m := range c.Members {
			if t.Failed() {
				t.Logf("the log of %s:\n%s", m.name, m.Log())
			}
		}
	})
	return c
}

func (m *Member) client(t *testing.T) *clientv3.Client {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{m.Endpoint()}, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func put(t *testing.T, c *clientv3.Client, within time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	_, err := c.Put(ctx, "k", "v")
	return err
}

// Each thing that can happen to a member does, and passes.
func TestMembersFailAsMachinesDo(t *testing.T) {
	c := start(t, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	leader := func() *Member {
		t.Helper()
		m, err := c.Leader(ctx)
		require.NoError(t, err)
		return m
	}
	for what, fault := range map[string]struct{ strike, lift func(*Member) error }{
		"killed": {(*Member).Kill, (*Member).Start},
		"frozen": {(*Member).Freeze, (*Member).Thaw},
		"parted": {(*Member).Part, (*Member).Join},
	} {
		t.Run(what, func(t *testing.T) {
			old := leader()
			require.NoError(t, fault.strike(old))
			require.Error(t, put(t, old.client(t), time.Second), "who is alone takes nothing")
			require.NoError(t, c.Elected(ctx, old))
			require.NoError(t, put(t, leader().client(t), patience))
			require.NoError(t, fault.lift(old))
			require.NoError(t, c.Agree(ctx))
			require.NoError(t, put(t, old.client(t), patience))
		})
	}
	for _, m := range c.Members {
		require.NoError(t, c.Lead(ctx, m))
		require.NoError(t, c.Agree(ctx))
		require.Equal(t, m.name, leader().name)
	}
	for _, m := range c.Members[1:] {
		require.NoError(t, m.Kill())
	}
	require.Error(t, put(t, c.Members[0].client(t), time.Second), "one of three is no majority")
	for _, m := range c.Members[1:] {
		require.NoError(t, m.Start())
	}
	require.NoError(t, c.Agree(ctx))
	require.ErrorContains(t, c.Members[0].Disk(time.Second), "Options.Disks")
}

// A quota and a slow disk are those of the process.
func TestDisksAreSlowAndFull(t *testing.T) {
	c := start(t, Options{Disks: true, QuotaBytes: 2 << 20})
	k := c.Members[0].client(t)
	require.NoError(t, put(t, k, patience))
	for _, m := range c.Members {
		require.NoError(t, m.Disk(300*time.Millisecond))
	}
	begun := time.Now()
	require.NoError(t, put(t, k, patience))
	require.GreaterOrEqual(t, time.Since(begun), 300*time.Millisecond)
	for _, m := range c.Members {
		require.NoError(t, m.Disk(0))
	}
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		_, err = k.Put(t.Context(), fmt.Sprint(i), string(make([]byte, 64<<10)))
	}
	require.ErrorIs(t, err, rpctypes.ErrNoSpace)
}
