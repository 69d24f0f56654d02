package netns

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/effect"
)

// Veth says what pair Make makes.
type Veth struct {
	HostNS    string // path of the namespace of the host end; "" is the caller's own
	Master    string // bridge in HostNS; "" is none
	HostName  string
	HostAlias string // stamp, on both ends: by it a pair is known as ours
	PodNS     *os.File
	PodName   string

	PodMAC, HostMAC net.HardwareAddr // nil: a random one
	MTU             int              // bytes, of both ends; 0: the kernel's default
	Addresses       []netip.Prefix   // of the pod's end
	Gateway         netip.Addr       // the default route's; not valid: no routes
	Routes          []netip.Prefix   // further destinations by way of Gateway

	// Ready, if set, is called before the addresses are announced: it returns when
	// the bridge lets the pod's frames in, or has waited long enough for that.
	Ready func(context.Context)
}

// Made is what the kernel made.
type Made struct {
	HostMAC, PodMAC     net.HardwareAddr
	HostIndex, PodIndex int
}

// Make makes the pair and returns when a host end on a bridge passes frames: its
// carrier is up and its bridge port enabled. A pair that an earlier Make with the same
// alias left behind is replaced. A step that fails undoes those before it.
//
// Errors: ErrInterfaceExists, ErrRouteExists, ErrNoNamespace, ErrForeign, the
// context's, or the kernel's (unix.Errno).
func Make(ctx context.Context, v Veth) (Made, error) {
	made, err := makePair(ctx, v)
	if err != nil {
		return Made{}, fmt.Errorf("make veth %s for the pod's %s: %w", v.HostName, v.PodName, err)
	}
	return made, nil
}

func makePair(ctx context.Context, v Veth) (Made, error) {
	p, err := begin(ctx, v, createPair)
	if err != nil {
		return Made{}, err
	}
	return p.finish(ctx, v)
}

// withMACs fills in the MACs the caller left to chance. They are chosen here
// rather than by the kernel, so that udev takes them for wanted and leaves them.
func withMACs(v Veth) (Veth, error) {
	for _, mac := range []*net.HardwareAddr{&v.HostMAC, &v.PodMAC} {
		if *mac != nil {
			continue
		}
		random := make(net.HardwareAddr, etherAddrBytes)
		if _, err := rand.Read(random); err != nil {
			return v, fmt.Errorf("random MAC: %w", err)
		}
		random[0] = random[0]&^1 | 2 // unicast, locally administered
		*mac = random
	}
	return v, nil
}

// createPair makes both ends, once more if only a leftover of ours was in the
// way, and returns the host end.
func createPair(ctx context.Context, w wires, v Veth) (*link, error) {
	end, err := tryCreate(ctx, w, v)
	if !errors.Is(err, unix.EEXIST) {
		return end, err
	}
	if err := clearLeftover(ctx, w, v); err != nil {
		return nil, err
	}
	return tryCreate(ctx, w, v)
}

func tryCreate(ctx context.Context, w wires, v Veth) (*link, error) {
	answers, err := w.host.exchange(ctx, newPair(v, w.master), getLink(v.HostName))
	if err != nil {
		return nil, err
	}
	if err := answers[0].err; err != nil {
		return nil, fmt.Errorf("create pair: %w", err)
	}
	end, err := linkOf(answers[1])
	if err == nil && end == nil {
		err = fmt.Errorf("interface %s is gone again: %w", v.HostName, unix.ENODEV)
	}
	return end, err
}

// newPair is the one request that makes both ends: the host end enslaved and
// up, the peer down in the pod's namespace (the kernel cannot make it up).
func newPair(v Veth, master *link) *request {
	flags := uint16(unix.NLM_F_CREATE | unix.NLM_F_EXCL)
	r := newRequest(unix.RTM_NEWLINK, flags, unix.IfInfomsg{Flags: unix.IFF_UP, Change: unix.IFF_UP}).
		text(unix.IFLA_IFNAME, v.HostName).
		attr(unix.IFLA_ADDRESS, v.HostMAC).
		number(unix.IFLA_NUM_TX_QUEUES, 1).
		number(unix.IFLA_NUM_RX_QUEUES, 1)
	if v.MTU > 0 {
		r.number(unix.IFLA_MTU, uint32(v.MTU))
	}
	if master != nil {
		r.number(unix.IFLA_MASTER, uint32(master.index))
	}
	return r.nest(unix.IFLA_LINKINFO, func() {
		r.text(unix.IFLA_INFO_KIND, "veth")
		r.nest(unix.IFLA_INFO_DATA, func() {
			r.nest(vethInfoPeer, func() {
				r.raw(bytesOf(&unix.IfInfomsg{}))
				r.text(unix.IFLA_IFNAME, v.PodName)
				r.attr(unix.IFLA_ADDRESS, v.PodMAC)
				r.number(unix.IFLA_NUM_TX_QUEUES, 1)
				r.number(unix.IFLA_NUM_RX_QUEUES, 1)
				r.number(unix.IFLA_NET_NS_FD, uint32(v.PodNS.Fd()))
				if v.MTU > 0 {
					r.number(unix.IFLA_MTU, uint32(v.MTU))
				}
			})
		})
	})
}

// clearLeftover removes the pair that is in the way if it carries our alias.
func clearLeftover(ctx context.Context, w wires, v Veth) error {
	end, err := findLink(ctx, w.host, v.HostName)
	if err != nil {
		return err
	}
	if end != nil {
		if !ours(end, v.HostNS, v.HostAlias) {
			return fmt.Errorf("%s has alias %q: %w", end.name, end.alias, ErrForeign)
		}
		return effect.Undo("remove a pair that is in the way, by its host end", func() error { return w.host.deleteLink(ctx, end.index) })
	}
	end, err = findLink(ctx, w.pod, v.PodName)
	if err != nil || end == nil {
		return err
	}
	unfinished, err := halfMade(ctx, w, end)
	if err != nil {
		return err
	}
	if !unfinished && (v.HostAlias == "" || end.alias != v.HostAlias) {
		return fmt.Errorf("%s: %w", end.name, ErrInterfaceExists)
	}
	return effect.Undo("remove a pair that is in the way, by its pod's end", func() error { return w.pod.deleteLink(ctx, end.index) })
}

// ours says whether a host end is a pair's with that alias. One without alias is of a
// maker that died before it could stamp it, for the kernel sets no alias in the making:
// in a namespace that is a bridge's home, and in the caller's own where its other end is
// in another namespace, as a pod's is.
func ours(end *link, hostNS, alias string) bool {
	return end.alias == alias || end.alias == "" && (hostNS != "" || end.peerNS != notNumbered)
}

// awaitForwarding returns when the host end forwards. Carrier changes reach the
// bridge by a kernel worker some microseconds after the ends are up; mostly that
// is over by the first look. If not, each change is announced: none is missed,
// because the second look comes after the watch has begun.
func awaitForwarding(ctx context.Context, w wires, index int) error {
	ready, err := forwards(ctx, w, index)
	if ready || err != nil {
		return err
	}
	watch, err := watchLinks(w.hostNS)
	if err != nil {
		return err
	}
	defer watch.close()
	for {
		ready, err := forwards(ctx, w, index)
		if ready || err != nil {
			return err
		}
		if _, err := watch.receive(ctx); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return err
		}
	}
}

// forwards looks at the host end and its bridge.
func forwards(ctx context.Context, w wires, index int) (bool, error) {
	requests := []*request{getLinkByIndex(index)}
	if w.master != nil {
		requests = append(requests, getLinkByIndex(w.master.index))
	}
	answers, err := w.host.exchange(ctx, requests...)
	if err != nil {
		return false, err
	}
	var links [2]*link
	for i, a := range answers {
		if links[i], err = linkOf(a); err != nil {
			return false, err
		}
		if links[i] == nil {
			return false, unix.ENODEV
		}
	}
	return links[0].forwards(links[1]), nil
}
