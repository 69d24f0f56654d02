package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/lab"
)

// diskSize is that of the disk of the daemon's data: what an embedded etcd takes at
// its start, and what a daemon leaves for what gives back.
const diskSize = 320 << 20

// newDisk is a host whose daemon keeps its data, and an etcd of its own, on a small
// disk.
func newDisk(t *testing.T) *site {
	s := newHost(t)
	data := filepath.Join(s.lab.Dir, "data")
	require.NoError(t, os.Mkdir(data, 0o700))
	require.NoError(t, unix.Mount("disk", data, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", diskSize)))
	s.looksInto("unix://" + filepath.Join(data, "etcd", "etcd.sock"))
	s.up()
	return s
}

// ballast is a file on the daemon's disk that leaves so many bytes.
func (s *site) ballast(left int64) (remove func()) {
	s.t.Helper()
	var disk unix.Statfs_t
	require.NoError(s.t, unix.Statfs(s.daemon.DataDir(), &disk))
	f, err := os.CreateTemp(s.daemon.DataDir(), "ballast")
	require.NoError(s.t, err)
	defer f.Close()
	require.NoError(s.t, unix.Fallocate(int(f.Fd()), 0, 0, int64(disk.Bavail)*disk.Bsize-left))
	return func() { require.NoError(s.t, os.Remove(f.Name())) }
}

// A disk that is filling up: no pod is added while there is room for what gives back.
func TestNothingNewOnADiskThatIsNearlyFull(t *testing.T) {
	s := newDisk(t)
	s.cli("tenant", "create", "red")
	before := s.steady()
	goes, late := s.living(), s.pod("red")
	remove := s.ballast(100 << 20)
	var a answer
	require.Eventually(t, func() bool {
		a = s.call("STATUS", nil, undisturbed, form{})
		return a.err != nil
	}, sweep, 100*time.Millisecond, "the daemon does not see that its disk is nearly full")
	require.Equal(t, cniconf.CodeUnavailable, a.err.Code)
	require.ErrorContains(t, a.err, "dataDir")
	a = s.call("ADD", late, undisturbed, form{})
	require.NotNil(t, a.err)
	require.Equal(t, cniconf.CodeTryAgain, a.err.Code)
	require.ErrorContains(t, a.err, "dataDir")
	require.Nil(t, s.call("CHECK", goes, undisturbed, form{prev: true}).err)
	require.Nil(t, s.call("DEL", goes, undisturbed, form{prev: true}).err, "it has room")

	remove()
	s.adopt(late, s.until("ADD", late, form{}))
	s.reaches(late)
	s.deleted(late, form{prev: true})
	require.NoError(t, goes.Remove())
	s.comesBackTo(before, sweep, "a disk that was nearly full")
}

// A disk without a byte left ends the daemon, which says why; pods go on, and so does
// the next daemon when there is room.
func TestAFullDiskEndsTheDaemonWithItsReason(t *testing.T) {
	s := newDisk(t)
	s.cli("tenant", "create", "red")
	before := s.steady()
	stays, other := s.living(), s.living()
	with := s.steady()
	remove := s.ballast(0)
	living, died := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		defer died() // a client waits for an etcd that is gone
		ended <- s.daemon.Wait()
	}()
	for n := 0; living.Err() == nil; n++ { // somebody stores until etcd finds no space
		_, err := s.place.Etcd.Put(living, fmt.Sprint("/other/", n), strings.Repeat("x", 512<<10))
		if err != nil {
			break
		}
		require.Less(t, n, 2*diskSize>>19, "a full disk takes everything")
	}
	require.Error(t, <-ended)
	log, err := os.ReadFile(s.daemon.LogFile())
	require.NoError(t, err)
	require.Contains(t, string(log), "see to the disk")
	require.Contains(t, string(log), unix.ENOSPC.Error())
	require.NoError(t, lab.Ping(stays.Namespace, other.Address, 20*time.Second), "pods go on")

	remove()
	require.NoError(t, s.daemon.Start(t.Context()))
	_, err = s.place.Etcd.Delete(t.Context(), "/other/", clientv3.WithPrefix())
	require.NoError(t, err)
	s.comesBackTo(with, 2*sweep, "a full disk")
	s.deleted(stays, form{prev: true})
	s.deleted(other, form{prev: true})
	s.comesBackTo(before, sweep, "DELs after it")
}
