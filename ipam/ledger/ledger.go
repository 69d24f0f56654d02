package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/moatnet/moat/ipam"
)

// What a Ledger does where its Options say nothing.
const (
	DefaultCoolDown = time.Minute
	DefaultPorts    = 999
)

// NoCoolDown in Options lets addresses be leased again at once.
const NoCoolDown time.Duration = -1

// Options of a Ledger; the zero value is what an installation uses.
type Options struct {
	// AddressCoolDown is how long an address that was given back is passed over
	// while others are free; 0 means a minute, NoCoolDown not at all. When nothing else is left the one
	// given back longest ago is leased: a refused pod is the greater harm.
	AddressCoolDown time.Duration
	// SlotCoolDown is how long a removed tenant's subnet and transit pair stay
	// unused; 0 means 5 minutes. It is kept strictly.
	SlotCoolDown time.Duration
	// Ports is how many leases a bridge's subnet takes at most; 0 means 999,
	// with the router's port a full bridge of 1,000.
	Ports int
	// Timeout bounds a single transaction where ctx allows more; 0 means 3 s: an
	// etcd that elects another leader takes one or two.
	Timeout time.Duration
	// Now is the clock; nil means time.Now. Cool-downs depend on it, those of
	// addresses on its course alone, and when reservations end.
	Now func() time.Time
}

// Ledger implements ipam.Store over a KV.
type Ledger struct {
	kv  KV
	opt Options

	mu       sync.Mutex
	plan     ipam.Installation
	pictures map[pictureKey]*picture
}

// New returns a Ledger over kv.
func New(kv KV, opt Options) *Ledger {
	orDefault(&opt.AddressCoolDown, DefaultCoolDown)
	orDefault(&opt.SlotCoolDown, 5*time.Minute)
	orDefault(&opt.Ports, DefaultPorts)
	orDefault(&opt.Timeout, 3*time.Second)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Ledger{kv: kv, opt: opt, pictures: map[pictureKey]*picture{}}
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

var _ ipam.Store = (*Ledger)(nil)

// Ping implements ipam.Store.
func (l *Ledger) Ping(ctx context.Context) error {
	_, err := l.commit(ctx, "ping", Txn{Then: []Op{get(keyInstallation)}})
	return err
}

// EnsureInstallation implements ipam.Store.
func (l *Ledger) EnsureInstallation(ctx context.Context, want ipam.Installation) (ipam.Installation, error) {
	if err := want.Validate(); err != nil {
		return ipam.Installation{}, err
	}
	want.Schema = ipam.Schema
	if want.ID == "" {
		want.ID = uuid.NewString()
	}
	value, err := encode(want)
	if err != nil {
		return ipam.Installation{}, err
	}
	have, err := l.recorded(ctx, want, value)
	if err != nil {
		return ipam.Installation{}, err
	}
	if err := samePlan(have, want); err != nil {
		return ipam.Installation{}, err
	}
	l.mu.Lock()
	l.plan = have
	l.mu.Unlock()
	return have, nil
}

// recorded returns the plan that the store has, after recording want if it had
// none. It reads first: a store that is full refuses transactions that may write.
func (l *Ledger) recorded(ctx context.Context, want ipam.Installation, value []byte) (ipam.Installation, error) {
	res, err := l.read(ctx, "read installation", get(keyInstallation))
	if err != nil {
		return ipam.Installation{}, err
	}
	if p, ok := res.Out[0].one(); ok {
		return decodeInstallation(p)
	}
	res, err = l.commit(ctx, "record installation", Txn{
		If:   []Cond{absent(keyInstallation)},
		Then: []Op{put(keyInstallation, value)},
		Else: []Op{get(keyInstallation)},
	})
	if err != nil {
		return ipam.Installation{}, err
	}
	if res.OK {
		return want, nil
	}
	p, _ := res.Out[0].one()
	return decodeInstallation(p)
}

func decodeInstallation(p Pair) (have ipam.Installation, err error) {
	err = decode(p, &have, &have.Schema)
	return have, err
}

func samePlan(have, want ipam.Installation) error {
	for _, f := range []struct{ key, have, want string }{
		{ipam.KeyName, have.Name, want.Name},
		{ipam.KeySupernet, have.Supernet.String(), want.Supernet.String()},
		{ipam.KeySubnetLength, fmt.Sprint(have.SubnetLength), fmt.Sprint(want.SubnetLength)},
		{ipam.KeyTransit, have.Transit.String(), want.Transit.String()},
	} {
		if f.have != f.want {
			return &ipam.ConfigError{Key: f.key, Value: f.want,
				Reason: "this installation was set up with " + f.have + ", which cannot be changed"}
		}
	}
	return nil
}

func (l *Ledger) installation() (ipam.Installation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.plan.ID == "" {
		return l.plan, fmt.Errorf("the installation was not recorded: %w", ipam.ErrInvalid)
	}
	return l.plan, nil
}

// commit runs a transaction within the time that it may take.
//
// A transaction that was sent may be carried out, and who gives up half-way could
// not know what there is to undo: so ctx's cancellation stops it only before, its
// deadline also on the way.
func (l *Ledger) commit(ctx context.Context, what string, t Txn) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("%s: %w: %w", what, ipam.ErrUnavailable, context.Cause(ctx))
	}
	deadline := time.Now().Add(l.opt.Timeout)
	if own, ok := ctx.Deadline(); ok && own.Before(deadline) {
		deadline = own
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	res, err := l.kv.Commit(ctx, t)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", what, err)
	}
	return res, nil
}

// pageSize is how many keys are read at once.
const pageSize = 4096

// pages reads all keys under a prefix as they were at a revision, and returns that;
// with 0, page by page as they are, and the revision before which none is missed.
func (l *Ledger) pages(ctx context.Context, prefix string, at int64) (all []Pair, rev int64, err error) {
	from, rev := prefix, at
	for {
		res, err := l.read(ctx, "read "+prefix, Op{Kind: OpGet, Key: from, End: after(prefix), Limit: pageSize, At: at})
		if err != nil {
			return nil, 0, err
		}
		if rev == 0 {
			rev = res.Revision
		}
		page := res.Out[0].Pairs
		all = append(all, page...)
		if len(page) < pageSize {
			return all, rev, nil
		}
		from = page[len(page)-1].Key + "\x00"
	}
}

// read is a transaction without conditions that only gets.
func (l *Ledger) read(ctx context.Context, what string, ops ...Op) (Result, error) {
	return l.commit(ctx, what, Txn{Then: ops})
}
