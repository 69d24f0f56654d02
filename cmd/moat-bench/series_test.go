package main

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// burn spends CPU time on the calling thread.
func burn(t *testing.T, atLeast time.Duration) {
	for begun := threadTime(t); threadTime(t)-begun < atLeast; {
	}
}

func threadTime(t *testing.T) time.Duration {
	var now unix.Timespec
	require.NoError(t, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now))
	return time.Duration(now.Nano())
}

func TestCPUTimeCountsThreadsThatEnded(t *testing.T) {
	const spent = 50 * time.Millisecond
	before, err := cpuTime(os.Getpid())
	require.NoError(t, err)
	tids := make(chan int)
	for range 2 { // one of them is not the process's first thread, which never ends
		go func() {
			runtime.LockOSThread() // so that the thread ends with the goroutine
			burn(t, spent)
			tids <- unix.Gettid()
		}()
	}
	for range 2 {
		if tid := <-tids; tid != os.Getpid() {
			require.Eventually(t, func() bool { return unix.Tgkill(os.Getpid(), tid, 0) == unix.ESRCH }, 5*time.Second, time.Millisecond)
		}
	}
	after, err := cpuTime(os.Getpid())
	require.NoError(t, err)
	require.GreaterOrEqual(t, after-before, 2*spent)
}

func TestCPUTimeOfAProcessThatIsGoneIsAnError(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	require.NoError(t, cmd.Run())
	_, err := cpuTime(cmd.Process.Pid)
	require.Error(t, err)
}

func TestFolderInMemoryIsRefused(t *testing.T) {
	require.ErrorContains(t, onDisk("/dev/shm"), "in memory")
	require.Error(t, onDisk(t.TempDir()+"/none"))
}

// oneBench is a benchmark of one round with these medians.
func oneBench(add, del, refAdd, refDel time.Duration) *bench {
	of := func(d time.Duration) series { return series{wall: []time.Duration{d}, cpu: []time.Duration{d}} }
	return &bench{sides: [2]*side{
		{name: "moat", add: of(add), del: of(del)}, {name: "reference", add: of(refAdd), del: of(refDel)}}}
}

func TestVerdict(t *testing.T) {
	require.NoError(t, oneBench(4, 5, 8, 30).verdict(0.5))
	require.NoError(t, oneBench(9, 5, 8, 30).verdict(0), "no ratio was asked for")
	require.ErrorContains(t, oneBench(5, 5, 8, 30).verdict(0.5), "the median of ADD is 0.62 of the reference's, more than 0.50")
	require.ErrorContains(t, oneBench(4, 20, 8, 30).verdict(0.5), "the median of DEL is 0.67")
	lost := oneBench(4, 5, 8, 30)
	lost.sides[0].lost = 1
	require.ErrorContains(t, lost.verdict(0), "moat: the first packet of 1 of 1 pods was lost")
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	var values []time.Duration
	for i := range 200 {
		values = append(values, time.Duration(200-i))
	}
	require.EqualValues(t, 100, percentile(values, 50))
	require.EqualValues(t, 198, percentile(values, 99))
	require.EqualValues(t, 7, percentile([]time.Duration{7}, 99))
	require.Zero(t, percentile(nil, 50))
}
