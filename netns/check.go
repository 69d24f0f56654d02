package netns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// dumpAttempts is how often a dump is begun again because the tables changed
// under it.
const dumpAttempts = 10

// Check returns nil when everything Make made of v is there: both ends, up and
// each other's peer, the host end on its bridge with its alias, the pod's
// addresses and routes. MACs and the MTU of the pod's end are compared only where
// v gives them, for a later plugin of the chain may change them. Without a PodNS
// the host end alone is looked at. What differs is an ErrMissing.
func Check(ctx context.Context, v Veth) error {
	if err := check(ctx, v); err != nil {
		return fmt.Errorf("check veth %s for the pod's %s: %w", v.HostName, v.PodName, err)
	}
	return nil
}

func check(ctx context.Context, v Veth) error {
	w, err := connect(v)
	if err != nil {
		return err
	}
	defer w.close()
	if v.PodNS == nil {
		return checkHostEnd(ctx, w.host, v, nil)
	}
	podEnd, err := findLink(ctx, w.pod, v.PodName)
	if err != nil {
		return err
	}
	if err := checkEnd(podEnd, v.PodName, v.PodMAC, v.MTU); err != nil {
		return err
	}
	if err := checkHostEnd(ctx, w.host, v, podEnd); err != nil {
		return err
	}
	return errors.Join(checkAddresses(ctx, w.pod, v, podEnd.index), checkRoutes(ctx, w.pod, v, podEnd.index))
}

// checkHostEnd looks at the host end and whether it is the pod end's peer. An end
// that was made in the caller's namespace without a bridge may have been taken
// to another one by the SDN that it was made for; then the pod's end, with the
// pair's stamp, answers for both. Without a podEnd the host end alone is looked
// at.
func checkHostEnd(ctx context.Context, host *conn, v Veth, podEnd *link) error {
	end, err := findLink(ctx, host, v.HostName)
	if err != nil {
		return err
	}
	taken := end == nil && v.HostNS == "" && v.Master == ""
	if taken && (podEnd == nil || podEnd.alias == v.HostAlias) {
		return nil
	}
	if err := checkEnd(end, v.HostName, v.HostMAC, 0); err != nil {
		return err
	}
	if end.alias != v.HostAlias {
		return fmt.Errorf("%s has alias %q: %w", v.HostName, end.alias, ErrForeign)
	}
	if podEnd != nil && (podEnd.peer != end.index || end.peer != podEnd.index) {
		return fmt.Errorf("%s and %s are not each other's peers: %w", v.HostName, v.PodName, ErrMissing)
	}
	master, err := findMaster(ctx, host, v.Master)
	if errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("bridge %s is gone: %w", v.Master, ErrMissing)
	}
	if err != nil {
		return err
	}
	if master != nil && end.master != master.index {
		return fmt.Errorf("%s is not on bridge %s: %w", v.HostName, v.Master, ErrMissing)
	}
	return nil
}

func checkEnd(end *link, name string, mac net.HardwareAddr, mtu int) error {
	switch {
	case end == nil:
		return fmt.Errorf("interface %s is gone: %w", name, ErrMissing)
	case !end.up:
		return fmt.Errorf("interface %s is down: %w", name, ErrMissing)
	case mac != nil && !bytes.Equal(mac, end.mac):
		return fmt.Errorf("interface %s has MAC %s, not %s: %w", name, end.mac, mac, ErrMissing)
	case mtu > 0 && mtu != end.mtu:
		return fmt.Errorf("interface %s has MTU %d, not %d: %w", name, end.mtu, mtu, ErrMissing)
	}
	return nil
}

func checkAddresses(ctx context.Context, pod *conn, v Veth, index int) error {
	all, err := readAddresses(ctx, pod)
	if err != nil {
		return err
	}
	var missing error
	for _, p := range v.Addresses {
		if !slices.Contains(all[index], p) {
			missing = errors.Join(missing, fmt.Errorf("address %s of %s: %w", p, v.PodName, ErrMissing))
		}
	}
	return missing
}

func checkRoutes(ctx context.Context, pod *conn, v Veth, index int) error {
	list, err := pod.dump(ctx, newRequest(unix.RTM_GETROUTE, unix.NLM_F_DUMP, unix.RtMsg{}))
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	have := make(map[netip.Prefix]bool)
	for _, m := range list {
		if m.kind != unix.RTM_NEWROUTE || len(m.body) < unix.SizeofRtMsg {
			continue
		}
		a := attributes(m.body, unix.SizeofRtMsg)
		gateway, _ := netip.AddrFromSlice(a[unix.RTA_GATEWAY])
		if gateway != v.Gateway || int(number(a[unix.RTA_OIF])) != index {
			continue
		}
		dst, ok := netip.AddrFromSlice(a[unix.RTA_DST])
		if !ok {
			dst = netip.PrefixFrom(v.Gateway, 0).Masked().Addr()
		}
		have[netip.PrefixFrom(dst, int(m.body[1]))] = true
	}
	var missing error
	for _, dst := range destinations(v) {
		if !have[dst] {
			missing = errors.Join(missing, fmt.Errorf("route to %s via %s: %w", dst, v.Gateway, ErrMissing))
		}
	}
	return missing
}

// dump returns the whole of a table, read again if it changed meanwhile.
func (c *conn) dump(ctx context.Context, r *request) ([]message, error) {
	for range dumpAttempts {
		answers, err := c.exchange(ctx, r)
		if err != nil {
			return nil, err
		}
		if answers[0].err != nil {
			return nil, answers[0].err
		}
		if !answers[0].torn {
			return answers[0].messages, nil
		}
	}
	return nil, unix.EINTR
}
