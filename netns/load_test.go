package netns_test

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"

	"github.com/moatnet/moat/netns"
)

func openFile(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func mustAddr(t testing.TB, s string) *netlink.Addr {
	t.Helper()
	a, err := netlink.ParseAddr(s)
	require.NoError(t, err)
	return a
}

// numbered is the pair of the i-th of many pods.
func numbered(host, pod *space, i int) netns.Veth {
	v := wanted(host, pod)
	v.HostName = fmt.Sprintf("moat%011x", i)
	v.HostAlias = fmt.Sprintf("moat:test:port:%d", i)
	v.Addresses = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(2 + i)}), 24)}
	return v
}

func TestManyAtOnceLeaveNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	const pods = 32
	host := newHost(t)
	all := make([]netns.Veth, pods)
	for i := range all {
		all[i] = numbered(host, newSpace(t), i)
	}
	errs := make(chan error, 3*pods)
	var wg sync.WaitGroup
	for _, v := range all {
		wg.Go(func() {
			_, err := netns.Make(t.Context(), v)
			errs <- err
			errs <- netns.Check(t.Context(), v)
			errs <- netns.Remove(t.Context(), v.HostNS, v.HostName, v.HostAlias)
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, []string{bridgeName}, host.links(t))
	requireOwnNamespace(t)
}

// requireOwnNamespace fails if a thread of this process is in another network
// namespace than the process was started in.
func requireOwnNamespace(t *testing.T) {
	t.Helper()
	own, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	threads, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	for _, thread := range threads {
		where, err := os.Readlink("/proc/self/task/" + thread.Name() + "/ns/net")
		if os.IsNotExist(err) {
			continue // ended meanwhile
		}
		require.NoError(t, err)
		require.Equal(t, own, where)
	}
}

func TestInodeTellsNamespacesApart(t *testing.T) {
	one, other := newSpace(t), newSpace(t)
	dev, ino, err := netns.Inode(one.file)
	require.NoError(t, err)
	dev2, ino2, err := netns.Inode(openFile(t, one.Path()))
	require.NoError(t, err)
	require.Equal(t, []uint64{dev, ino}, []uint64{dev2, ino2})
	_, ino2, err = netns.Inode(other.file)
	require.NoError(t, err)
	require.NotEqual(t, ino, ino2)
	closed := openFile(t, one.Path())
	closed.Close()
	_, _, err = netns.Inode(closed)
	require.Error(t, err)
}

// BenchmarkPair reports the median of Make and of Remove.
func BenchmarkPair(b *testing.B) {
	host, pod := newHost(b), newSpace(b)
	v := wanted(host, pod)
	var making, removing []time.Duration
	for b.Loop() {
		start := time.Now()
		_, err := netns.Make(b.Context(), v)
		making = append(making, time.Since(start))
		require.NoError(b, err)
		start = time.Now()
		err = netns.Remove(b.Context(), v.HostNS, v.HostName, v.HostAlias)
		removing = append(removing, time.Since(start))
		require.NoError(b, err)
	}
	for name, times := range map[string][]time.Duration{"make": making, "remove": removing} {
		slices.Sort(times)
		b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, name+"-p50-ms")
		b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, name+"-p99-ms")
	}
}
