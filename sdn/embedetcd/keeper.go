package embedetcd

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"golang.org/x/sys/unix"
)

const (
	// lookEvery is how often the database is looked at. etcd's own compaction by
	// revisions comes every 5 minutes: two million revisions at full speed.
	lookEvery = 250 * time.Millisecond
	// quietLooks is how many looks without a write between them make it quiet.
	quietLooks = 4
	// workPatience bounds what one look asks of the server.
	workPatience = 30 * time.Second

	// Shares of the quota, in percent.
	pressure = 50 // in use, from which on no history is kept
	crowded  = 80 // taken, from which on it is defragmented in a quiet moment
	room     = 98 // taken, below which writes are let in again
)

// keeper keeps the database small. It compacts what is older than a number of
// revisions, and all history when space is short. It defragments, which holds
// up every call, when nothing is being written, or when nothing can be. When
// etcd refused to grow and has room again it lets writes in.
type keeper struct {
	server *etcdserver.EtcdServer
	client *clientv3.Client
	keep   int64 // revisions
	quota  int64 // bytes
	log    *slog.Logger
	dir    string       // of the database
	free   atomic.Int64 // bytes on its disk, at the last look

	after int64 // bytes in use after the last compaction
	seen  int64 // the revision at the last look
	still int   // looks since the last write
	said  bool  // that etcd is full
}

func (k *keeper) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := k.look(ctx); err != nil && ctx.Err() == nil {
				k.log.Warn("the embedded etcd cannot be kept small; it is tried again", "error", err)
			}
		}
	}
}

// look does what is to be done now.
func (k *keeper) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, workPatience)
	defer cancel()
	rev := k.server.KV().Rev()
	if k.still++; rev != k.seen {
		k.seen, k.still = rev, 0
	}
	if err := k.weigh(); err != nil {
		return err
	}
	size, used := k.sizes()
	switch {
	case k.full():
		return k.makeRoom(ctx, rev)
	case rev-k.server.KV().FirstRev() >= 2*k.keep:
		return k.compact(ctx, rev-k.keep)
	case k.percent(used) >= pressure && used-k.after >= (k.quota-used)/4: // the sooner the less is left
		return k.compact(ctx, rev)
	case k.still >= quietLooks && k.percent(size) >= crowded && used <= size/2:
		return k.defragment()
	}
	return nil
}

func (k *keeper) sizes() (size, used int64) {
	b := k.server.Backend()
	return b.Size(), b.SizeInUse()
}

// weigh sees how much may still be written to the disk.
func (k *keeper) weigh() error {
	var disk unix.Statfs_t
	if err := unix.Statfs(k.dir, &disk); err != nil {
		return fmt.Errorf("look at the disk of %s: %w", k.dir, err)
	}
	k.free.Store(int64(disk.Bavail) * disk.Bsize)
	return nil
}

func (k *keeper) percent(bytes int64) int64 { return bytes * 100 / k.quota }

// full says whether etcd refuses to grow. It says so until it is told that there
// is room.
func (k *keeper) full() bool {
	return slices.ContainsFunc(k.server.Alarms(), func(a *etcdserverpb.AlarmMember) bool {
		return a.Alarm == etcdserverpb.AlarmType_NOSPACE
	})
}

// compact drops the history before a revision and waits until its space is free.
func (k *keeper) compact(ctx context.Context, rev int64) error {
	if rev > k.server.KV().FirstRev() {
		if _, err := k.client.Compact(ctx, rev, clientv3.WithCompactPhysical()); err != nil {
			return fmt.Errorf("compact to revision %d: %w", rev, err)
		}
	}
	k.server.Backend().ForceCommit() // what a commit frees is counted by the next
	_, k.after = k.sizes()
	return nil
}

// defragment writes the database anew, without what is free in it.
func (k *keeper) defragment() error {
	before, _ := k.sizes()
	begun := time.Now()
	if err := k.server.Backend().Defrag(); err != nil {
		return fmt.Errorf("defragment: %w", err)
	}
	size, _ := k.sizes()
	k.log.Info("the embedded etcd was defragmented", "bytesBefore", before, "bytes", size, "took", time.Since(begun))
	return nil
}

// makeRoom lets a full etcd take writes again, if there is room for them.
func (k *keeper) makeRoom(ctx context.Context, rev int64) error {
	if err := k.compact(ctx, rev); err != nil {
		return err
	}
	if size, used := k.sizes(); k.percent(size) >= room && k.percent(used) < room && k.percent(size-used) > 0 { // else nothing is gained, look after look
		if err := k.defragment(); err != nil {
			return err
		}
	}
	size, used := k.sizes()
	if k.percent(size) >= room {
		if !k.said {
			k.log.Error("the embedded etcd is full: it takes no more writes until something is deleted, or its quota is raised (embedded.quotaBytes) and the daemon started anew",
				"bytesInUse", used, "quotaBytes", k.quota)
			k.said = true
		}
		return nil
	}
	if _, err := k.client.AlarmDisarm(ctx, &clientv3.AlarmMember{}); err != nil {
		return fmt.Errorf("let writes in again: %w", err)
	}
	k.log.Warn("the embedded etcd was full and takes writes again", "bytes", size, "quotaBytes", k.quota)
	k.said = false
	return nil
}
