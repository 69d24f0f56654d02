package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// living is a process that may be alive: it said so a while ago, and nothing proves
// its end.
type living struct {
	key  string
	says process       // empty: it is an engine's word on hosts and ports, or is newer
	ago  time.Duration // since its last word
	left time.Duration // until it counts as dead
}

// livingNamed is how many processes an error names.
const livingNamed = 5

// whoLives are those whose keys kvs has, one for each lease.
func whoLives(ctx context.Context, c *clientv3.Client, kvs []*mvccpb.KeyValue) (all []living, err error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	here, err := newInstances(boot)
	if err != nil {
		return nil, err
	}
	known := map[int64]bool{0: true}
	for _, kv := range kvs {
		if known[kv.Lease] {
			continue
		}
		known[kv.Lease] = true
		one := living{key: string(kv.Key), says: readProcess(kv.Value)}
		if here.ended(one.says.Instance) {
			continue
		}
		lease, err := c.TimeToLive(ctx, clientv3.LeaseID(kv.Lease))
		if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
			return nil, fmt.Errorf("read how old %s is: %w", kv.Key, err)
		}
		if err != nil || lease.TTL < 0 { // it ended meanwhile
			continue
		}
		one.ago = time.Duration(lease.GrantedTTL-lease.TTL) * time.Second
		one.left = time.Duration(lease.TTL+1) * time.Second // etcd rounds down
		all = append(all, one)
	}
	return all, nil
}

// readProcess is empty for what no process of this program's version says.
func readProcess(text []byte) (p process) {
	if json.Unmarshal(text, &p) != nil || p.Schema != processSchema {
		return process{}
	}
	return p
}

// ended says whether it is proven on this machine that an instance's process has
// ended: that of another boot may be another machine's.
func (i instances) ended(instance string) bool {
	return strings.HasPrefix(instance, i.boot+"/") && i.gone(instance)
}

// aliveError says who is alive, how that is known, and what to do.
func aliveError(all []living) error {
	var who, nameless []string
	for _, one := range all {
		if one.says.PID == 0 {
			nameless = append(nameless, one.String())
		} else {
			who = append(who, one.String())
		}
	}
	if len(who) == 0 {
		who = nameless // else they are keys of the same processes
	}
	if more := len(who) - livingNamed; more > 0 {
		who = append(who[:livingNamed], fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("refused beside what may be alive of this installation, with --force, too: %s", strings.Join(who, "; "))
}

// String says who it is and what to do.
func (l living) String() string {
	who := fmt.Sprintf("a moat process that keeps the key %s", l.key)
	if l.says.PID != 0 {
		who = fmt.Sprintf("the %s with process ID %d on machine %s (node %s)", l.says.Work, l.says.PID, l.says.Machine, l.says.Node)
	}
	do := "stop it"
	if l.says.Work == workRestore {
		do = "let it end"
	}
	return fmt.Sprintf("%s was alive %d s ago: %s, or, if it died, wait %d s", who, int(l.ago.Seconds()), do, int(l.left.Seconds()))
}
