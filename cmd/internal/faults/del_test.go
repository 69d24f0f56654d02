package faults

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/embedetcd/etcdproxy"
)

// newEtcdSite is a host whose daemon has its etcd behind a proxy, and a tenant "red".
func newEtcdSite(t *testing.T) (*site, *etcdproxy.Proxy) {
	etcd := newEtcd(t, embedetcd.Config{})
	p := newProxy(t, etcd.Endpoint())
	s := newSite(t, etcd.Endpoint())
	s.up(p.Endpoint())
	s.cli("tenant", "create", "red")
	s.steady() // the engine works behind the command's answer
	return s, p
}

// refused is a DEL that the daemon cannot do now, and takes note of.
func (s *site) refused(p *lab.Pod) {
	s.t.Helper()
	a := s.call("DEL", p, short, form{prev: true})
	require.NotNil(s.t, a.err, "a DEL that cannot be done is no success")
	require.Equal(s.t, cniconf.CodeTryAgain, a.err.Code, "%s", a.err)
	require.NotEmpty(s.t, s.tombstones())
}

func (s *site) tombstones() []string {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.daemon.DataDir(), "tombstones", "*.json"))
	require.NoError(s.t, err)
	return files
}

// What DEL owes is done when etcd is back: by the daemon itself, by the next one, and
// by one after a reboot.
func TestWhatADelOwesIsDoneWithoutAnotherCall(t *testing.T) {
	s, p := newEtcdSite(t)
	before := s.steady()

	gone, rebooted := s.living(), s.living()
	restarted := s.living()
	p.Refuse()
	s.refused(gone)
	require.NoError(t, p.Admit())
	require.Eventually(t, func() bool { return len(s.tombstones()) == 0 }, 2*sweep, 100*time.Millisecond)

	p.Refuse()
	s.refused(restarted)
	require.NoError(t, s.daemon.Kill())
	require.Len(t, s.tombstones(), 1)
	require.NoError(t, p.Admit())
	require.NoError(t, s.daemon.Start(t.Context()))
	require.Eventually(t, func() bool { return len(s.tombstones()) == 0 }, 2*sweep, 100*time.Millisecond)

	forgotten := s.living() // no DEL comes for it at all
	p.Refuse()
	s.refused(rebooted)
	require.NoError(t, s.daemon.Kill())
	require.NoError(t, p.Admit())
	s.reboot(gone, restarted, rebooted, forgotten)
	require.NoError(t, s.daemon.Start(t.Context()))
	s.comesBackTo(before, 2*sweep, "DELs without etcd, a restart and a reboot")
	for _, old := range []*lab.Pod{gone, restarted, rebooted, forgotten} {
		for range 3 {
			require.Nil(t, s.call("DEL", old, undisturbed, form{noNetns: true}).err)
		}
	}
	s.comesBackTo(before, sweep, "late DELs")
}

func (s *site) living() *lab.Pod {
	s.t.Helper()
	p := s.pod("red")
	s.add(p)
	return p
}

// reboot has all namespaces and what the kernel knew of the host's be gone, and the
// records be of another boot.
func (s *site) reboot(pods ...*lab.Pod) {
	s.t.Helper()
	for _, p := range pods {
		require.NoError(s.t, p.Remove())
	}
	pinned, err := filepath.Glob(filepath.Join(s.daemon.NetnsDir(), "*"))
	require.NoError(s.t, err)
	for _, path := range pinned {
		require.NoError(s.t, unix.Unmount(path, unix.MNT_DETACH))
		require.NoError(s.t, os.Remove(path))
	}
	require.NoError(s.t, s.ns.Do(func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return err
		}
		for _, l := range links {
			if name := l.Attrs().Name; name != "lo" && name != "eth0" {
				if err := netlink.LinkDel(l); err != nil {
					return fmt.Errorf("delete %s: %w", name, err)
				}
			}
		}
		c, err := nftables.New()
		if err != nil {
			return err
		}
		c.FlushRuleset()
		return c.Flush()
	}))
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	require.NoError(s.t, err)
	other := []byte("00000000-0000-4000-8000-000000000000")
	res, err := s.place.Etcd.Get(s.t.Context(), "/moat/ipam/v1/attachments/", clientv3.WithPrefix())
	require.NoError(s.t, err)
	changed := 0
	for _, kv := range res.Kvs {
		if value := bytes.ReplaceAll(kv.Value, bytes.TrimSpace(boot), other); !bytes.Equal(value, kv.Value) {
			changed++
			_, err := s.place.Etcd.Put(s.t.Context(), string(kv.Key), string(value))
			require.NoError(s.t, err)
		}
	}
	require.Positive(s.t, changed, "records name the boot")
}

// A runtime's late DELs of an old sandbox leave the new one of the same pod alone,
// also when the first DEL could not be done.
func TestLateDelsLeaveTheNewSandboxAlone(t *testing.T) {
	s, p := newEtcdSite(t)
	before := s.steady()
	old := s.living()
	p.Refuse()
	s.refused(old)
	require.NoError(t, p.Admit())
	fresh := s.sandbox(old)
	s.adopt(fresh, s.until("ADD", fresh, form{}))
	s.reaches(fresh)
	require.Eventually(t, func() bool { return len(s.tombstones()) == 0 }, 2*sweep, 100*time.Millisecond)
	with := s.steady()

	require.NoError(t, old.Remove())
	for range 2 {
		a := s.call("DEL", old, undisturbed, form{noNetns: true})
		require.Nil(t, a.err)
		require.Empty(t, a.out)
	}
	s.comesBackTo(with, sweep, "late DELs of the old sandbox")
	require.Nil(t, s.call("CHECK", fresh, undisturbed, form{prev: true}).err)
	s.reaches(fresh)
	s.deleted(fresh, form{prev: true})
	s.comesBackTo(before, sweep, "the new sandbox's end")
}

// A runtime tries a pod again and again, with another sandbox each time, while etcd
// fails in turn before the record, after it, and for longer.
func TestFailedAddsLeaveNothing(t *testing.T) {
	tries := 12
	if os.Getenv(wholeVar) != "" {
		tries = 50
	}
	s, p := newEtcdSite(t)
	before := s.steady()
	first := s.pod("red")
	failed := 0
	for n := range tries {
		pod := s.sandbox(first)
		limit := undisturbed
		switch n % 3 {
		case 0:
			p.At(pod.ID, p.Cut)
		case 1:
			p.At(pod.ID, p.Mute)
			limit = 100 * time.Millisecond
		case 2:
			p.At("/moat/sdn/head", p.Cut)
			p.At(pod.ID, func() {})
		}
		if a := s.call("ADD", pod, limit, form{}); a.err != nil {
			require.Equal(t, cniconf.CodeTryAgain, a.err.Code, "%s", a.err)
			failed++
		}
		p.Thaw()
		if n%5 > 0 { // else not even a DEL comes
			s.until("DEL", pod, form{})
		}
		require.NoError(t, pod.Remove())
	}
	require.Greater(t, failed, tries/2)
	s.comesBackTo(before, 3*sweep, fmt.Sprintf("%d failed ADDs", failed))
	s.add(first)
	s.deleted(first, form{prev: true})
	s.comesBackTo(before, sweep, "the ADD after them")
	t.Logf("%d of %d ADDs failed", failed, tries)
}
