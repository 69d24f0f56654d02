package netns

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/effect"
)

// undoTimeout is how long the clean-up after a failed step may take when the
// caller's own time is over.
const undoTimeout = 5 * time.Second

// Pair is a veth pair that is made and stamped, but not set up in the pod: most
// of the time that a pair takes can pass while its address is still sought.
// Either Finish or Abandon ends it.
type Pair struct {
	w    wires
	v    Veth
	made Made
}

// Prepare makes the pair of v, whose addresses, gateway, routes and pod's MAC it
// does not look at. It replaces nothing: whatever is in the way, a leftover of
// the same alias too, is an ErrInterfaceExists.
func Prepare(ctx context.Context, v Veth) (*Pair, error) {
	p, err := begin(ctx, v, tryCreate)
	if errors.Is(err, unix.EEXIST) {
		err = fmt.Errorf("%w: %w", ErrInterfaceExists, err)
	}
	if err != nil {
		return nil, fmt.Errorf("prepare veth %s for the pod's %s: %w", v.HostName, v.PodName, err)
	}
	return p, nil
}

// begin makes and stamps the host end with its peer.
func begin(ctx context.Context, v Veth, create func(context.Context, wires, Veth) (*link, error)) (*Pair, error) {
	if v.PodNS == nil {
		return nil, fmt.Errorf("no pod namespace given: %w", ErrNoNamespace)
	}
	v, err := withMACs(v)
	if err != nil {
		return nil, err
	}
	w, err := connect(v)
	if err != nil {
		return nil, err
	}
	if w.crier, err = openCrier(v.PodNS); err != nil {
		w.close()
		return nil, err
	}
	p := &Pair{w: w, v: v}
	if err := p.create(ctx, create); err != nil {
		w.close()
		return nil, err
	}
	return p, nil
}

func (p *Pair) create(ctx context.Context, create func(context.Context, wires, Veth) (*link, error)) (err error) {
	if p.w.master, err = findMaster(ctx, p.w.host, p.v.Master); err != nil {
		return err
	}
	end, err := create(ctx, p.w, p.v)
	if err != nil {
		return err
	}
	p.made = Made{HostMAC: p.v.HostMAC, PodMAC: p.v.PodMAC, HostIndex: end.index, PodIndex: end.peer}
	err = errors.Join(
		p.w.host.do(ctx, step{"set alias of " + p.v.HostName, setAlias(end.index, p.v.HostAlias), nil}),
		p.w.pod.do(ctx, step{"set lo up", setUp(loopbackIndex), nil}))
	if err != nil {
		return errors.Join(err, effect.Undo("remove a pair that was not stamped", func() error { return p.remove(ctx) }))
	}
	return nil
}

// Finish sets up the pod's end as v says, which is the Veth of Prepare with
// addresses, and waits as Make does. When it fails the pair is removed.
func (p *Pair) Finish(ctx context.Context, v Veth) (Made, error) {
	made, err := p.finish(ctx, v)
	if err != nil {
		return Made{}, fmt.Errorf("make veth %s for the pod's %s: %w", v.HostName, v.PodName, err)
	}
	return made, nil
}

func (p *Pair) finish(ctx context.Context, v Veth) (Made, error) {
	defer p.w.close()
	if v.PodMAC != nil {
		p.made.PodMAC = v.PodMAC
	}
	if err := p.setUp(ctx, v); err != nil {
		return Made{}, errors.Join(err, effect.Undo("remove a pair that was not set up", func() error { return p.remove(ctx) }))
	}
	return p.made, nil
}

// setUp configures the pod's end and waits for the host end to pass frames.
func (p *Pair) setUp(ctx context.Context, v Veth) error {
	if err := p.w.pod.do(ctx, podSteps(v, p.made)...); err != nil {
		return err
	}
	if p.w.master != nil {
		if err := awaitForwarding(ctx, p.w, p.made.HostIndex); err != nil {
			return fmt.Errorf("wait for carrier of %s: %w", v.HostName, err)
		}
	}
	if v.Ready != nil {
		v.Ready(ctx)
	}
	return p.w.crier.announce(v, p.made)
}

// Abandon removes the pair.
func (p *Pair) Abandon(ctx context.Context) error {
	defer p.w.close()
	return p.remove(ctx)
}

func (p *Pair) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	return p.w.host.deleteLink(ctx, p.made.HostIndex)
}
