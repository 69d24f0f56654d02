package netns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// End is one end of a pair as it is found.
type End struct {
	Name, Alias string
	MAC         net.HardwareAddr
	Addresses   []netip.Prefix
}

// Ends lists the interfaces of the namespace at path ("": the caller's) whose
// alias begins with prefix. It changes nothing. A path where no namespace is
// answers ErrNoNamespace.
func Ends(ctx context.Context, path, prefix string) ([]End, error) {
	ends, err := readEnds(ctx, path, prefix)
	if err != nil {
		return nil, fmt.Errorf("list interfaces of namespace %q: %w", path, err)
	}
	return ends, nil
}

func readEnds(ctx context.Context, path, prefix string) ([]End, error) {
	ns, err := openNamespace(path)
	if err != nil {
		return nil, err
	}
	if ns != nil {
		defer ns.Close()
	}
	return endsIn(ctx, ns, prefix)
}

func endsIn(ctx context.Context, ns *os.File, prefix string) ([]End, error) {
	c, err := dial(ns)
	if err != nil {
		return nil, err
	}
	defer c.close()
	list, err := c.dump(ctx, newRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP, unix.IfInfomsg{}).number(unix.IFLA_EXT_MASK, filterNoStats))
	if err != nil {
		return nil, err
	}
	var ends []End
	at := map[int]int{} // place in ends, by the interface's index
	for _, m := range list {
		if m.kind != unix.RTM_NEWLINK {
			continue
		}
		if l := parseLink(m.body); strings.HasPrefix(l.alias, prefix) {
			at[l.index] = len(ends)
			ends = append(ends, End{Name: l.name, Alias: l.alias, MAC: l.mac})
		}
	}
	if len(ends) == 0 {
		return nil, nil
	}
	addresses, err := readAddresses(ctx, c)
	for index, i := range at {
		ends[i].Addresses = addresses[index]
	}
	return ends, err
}

// readAddresses lists the addresses of a namespace by the index of the interface.
func readAddresses(ctx context.Context, c *conn) (map[int][]netip.Prefix, error) {
	list, err := c.dump(ctx, newRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP, unix.IfAddrmsg{}))
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	have := make(map[int][]netip.Prefix)
	for _, m := range list {
		if m.kind != unix.RTM_NEWADDR || len(m.body) < unix.SizeofIfAddrmsg {
			continue
		}
		a := attributes(m.body, unix.SizeofIfAddrmsg)
		local := a[unix.IFA_LOCAL]
		if local == nil { // IPv6 addresses without a peer have IFA_ADDRESS alone
			local = a[unix.IFA_ADDRESS]
		}
		if addr, ok := netip.AddrFromSlice(local); ok {
			index := int(number(m.body[4:]))
			have[index] = append(have[index], netip.PrefixFrom(addr, int(m.body[1])))
		}
	}
	return have, nil
}
