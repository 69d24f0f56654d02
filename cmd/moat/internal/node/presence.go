package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Where etcd is shared, every daemon and every restore has a key with a lease while
// it lives: no restore begins beside another process, and no daemon beside a restore.
// An embedded etcd has the lock of its data directory for that, and a CNI call without
// a daemon writes nothing more than it must.
const (
	liveFolder    = "live/"
	processFolder = liveFolder + "processes/"
	// processSchema is the version of process.
	processSchema = 1
	// presenceSeconds is how long a process counts as alive after its last word.
	presenceSeconds = 30
)

// The works of a process.
const (
	workDaemon  = "daemon"
	workRestore = "restore"
)

// process is what a living process says of itself.
type process struct {
	Schema   int    `json:"schema"`
	Work     string `json:"work"`
	Machine  string `json:"machine"` // its name
	Node     string `json:"node"`
	PID      int    `json:"pid"`
	Instance string `json:"instance"` // of instances, which prove its end on its machine
}

// errRecordsReplaced: what a daemon knows is of records that are no more.
var errRecordsReplaced = errors.New("the installation's records were restored or removed while this process could not reach etcd, so it ends: start it again")

// errPresenceLost: a restore went on for longer than etcd knew of it.
var errPresenceLost = errors.New("etcd could not be reached for so long that other processes take this restore for dead")

// presence is the key of this process.
type presence struct {
	client  *clientv3.Client
	prefix  string // the installation's
	key     string
	value   string
	seconds int64
	log     *slog.Logger

	lease  clientv3.LeaseID
	failed chan error    // holds why a daemon must end
	stop   func()        // ends what keeps it; nil: nothing does
	ended  chan struct{} // closed when nothing does any more
}

func newPresence(c *clientv3.Client, prefix, boot, node, work string, log *slog.Logger) (*presence, error) {
	all, err := newInstances(boot)
	if err != nil {
		return nil, err
	}
	p := process{Schema: processSchema, Work: work, Node: node, PID: os.Getpid()}
	if p.Instance, err = all.own(); err != nil {
		return nil, err
	}
	if p.Machine, err = os.Hostname(); err != nil {
		return nil, fmt.Errorf("name of the machine: %w", err)
	}
	value, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return &presence{client: c, prefix: prefix, key: prefix + processFolder + uuid.NewString(), value: string(value), seconds: presenceSeconds,
		log: log, failed: make(chan error, 1), ended: make(chan struct{})}, nil
}

// enter writes the key under a new lease, together with what then says, if ifs hold.
func (p *presence) enter(ctx context.Context, ifs []clientv3.Cmp, then ...clientv3.Op) (entered bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, etcdPatience)
	defer cancel()
	lease, err := p.client.Grant(ctx, p.seconds)
	if err != nil {
		return false, fmt.Errorf("get a lease of etcd: %w", err)
	}
	p.lease = lease.ID
	then = append(then, clientv3.OpPut(p.key, p.value, clientv3.WithLease(lease.ID)))
	res, err := p.client.Txn(ctx).If(ifs...).Then(then...).Commit()
	if err != nil {
		return false, fmt.Errorf("write %s: %w", p.key, err)
	}
	return res.Succeeded, nil
}

// there holds while this process counts as alive.
func (p *presence) there() clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(p.key), ">", 0)
}

// keep keeps the key until leave is called. When it is lost, again says whether it
// was written anew, and fail is told why not.
func (p *presence) keep(ctx context.Context, again func(context.Context) error, fail func(error)) {
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(p.ended)
		for ctx.Err() == nil {
			p.hold(ctx)
			pauseFor(ctx, time.Second)
			if ctx.Err() != nil {
				return
			}
			if err := again(ctx); err != nil && ctx.Err() == nil {
				fail(err)
				return
			}
		}
	}()
}

// hold returns when the lease is lost or ctx ends.
func (p *presence) hold(ctx context.Context) {
	alive, err := p.client.KeepAlive(ctx, p.lease)
	if err != nil {
		return
	}
	for range alive {
	}
}

// leave takes the key away. One that cannot be reached ends by itself.
func (p *presence) leave() {
	if p.stop != nil {
		p.stop()
		<-p.ended
	}
	if p.lease == 0 {
		return
	}
	last, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := p.client.Revoke(last, p.lease); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		p.log.Warn("to others this process seems alive some seconds longer than it is", "seconds", p.seconds, "error", err)
	}
}
