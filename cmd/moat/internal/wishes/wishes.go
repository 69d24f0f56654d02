package wishes

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/moatnet/moat/ipam"
)

// Wishes is what a pod asks for one of its interfaces.
type Wishes struct {
	Addresses []Address // at most one of each family
	MAC       string    // "": no wish
	Gateway   netip.Addr
	Sticky    *ipam.Sticky // nil: the address goes with the pod
	DNS       *types.DNS   // nil: no wish

	// AddressesFrom, MACFrom and GatewayFrom name the annotations, for messages.
	AddressesFrom string
	MACFrom       string
	GatewayFrom   string
}

// Address is one that a pod asks for.
type Address struct {
	netip.Addr
	Bits int // length of its subnet; 0: not said
}

// Error is an annotation that is wrong.
type Error struct {
	Annotation string // or several, with "and" between them
	Value      string
	Want       string // what it must be
}

// longestQuote is how much of a value a message repeats, in characters: an
// annotation may have 256 KiB.
const longestQuote = 200

func (e *Error) Error() string {
	return fmt.Sprintf("annotation %s %.*q must be %s", e.Annotation, longestQuote, e.Value, e.Want)
}

// Read reads the wishes of a pod for its interface ifName. stickyFor is how long
// a sticky address is kept where no annotation says it. Errors: *Error.
func Read(p Pod, ifName string, stickyFor time.Duration) (Wishes, error) {
	t := texts{pod: p.Annotations, defaults: p.Defaults, ifName: ifName}
	if err := t.known(); err != nil {
		return Wishes{}, err
	}
	var w Wishes
	for _, read := range []func(*Wishes, texts) error{readAddresses, readMAC, readGateway, readDNS} {
		if err := read(&w, t); err != nil {
			return Wishes{}, err
		}
	}
	var err error
	w.Sticky, err = readSticky(p, t, stickyFor)
	return w, err
}

func readMAC(w *Wishes, t texts) error {
	a, ok := t.own(keyMAC)
	if !ok {
		return nil
	}
	mac, err := net.ParseMAC(a.value)
	if err != nil || len(mac) != 6 || mac[0]&1 != 0 || slices.Equal(mac, make(net.HardwareAddr, 6)) {
		return a.must("a unicast MAC of six bytes, such as 02:00:00:00:00:01")
	}
	w.MAC, w.MACFrom = mac.String(), a.key
	return nil
}

func readGateway(w *Wishes, t texts) error {
	found, err := t.either(keyGateway, olderGateway)
	if err != nil || found.key == "" {
		return err
	}
	if w.Gateway, err = address(found); err != nil {
		return err
	}
	for _, a := range w.Addresses {
		if a.Is4() != w.Gateway.Is4() || a.Bits == 0 {
			continue
		}
		if subnet := netip.PrefixFrom(a.Addr, a.Bits); !subnet.Contains(w.Gateway) {
			return found.must(fmt.Sprintf("in the subnet %s of %s", subnet.Masked(), w.AddressesFrom))
		}
		if a.Addr == w.Gateway {
			return found.must("another address than the pod's own, " + a.String())
		}
	}
	w.GatewayFrom = found.key
	return nil
}

// readSticky says whether the address stays, and for whom.
func readSticky(p Pod, t texts, stickyFor time.Duration) (*ipam.Sticky, error) {
	var want bool
	sticky, said := t.shared(keySticky)
	switch {
	case said && sticky.value == "true":
		want = true
	case said && sticky.value != "false":
		return nil, sticky.must(`"true" or "false"`)
	}
	long, given := t.shared(keyStickyFor)
	if given {
		d, err := time.ParseDuration(long.value)
		if err != nil || d <= 0 {
			return nil, long.must("a duration above 0, such as 24h or 90m")
		}
		stickyFor = d
	}
	if _, ofPod := p.Annotations[long.key]; given && ofPod && !said {
		return nil, long.must(`beside ` + prefix + keySticky + `: "true", without which nothing is kept`)
	}
	if !want {
		return nil, nil
	}
	who, shared := p.identity()
	return &ipam.Sticky{Identity: who, For: stickyFor, Shared: shared}, nil
}
