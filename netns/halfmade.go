package netns

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// halfMade says whether a pod's end is of a pair whose maker died before it set the
// pod's end up: it has no alias, and its peer is on a bridge of the namespace of the
// host end, where nobody but Moat puts one. The name of the host end does not tell:
// an ADD that is repeated may be meant for another of the tenant's bridges.
func halfMade(ctx context.Context, w wires, end *link) (bool, error) {
	if w.hostNS == nil || end.alias != "" || end.peerNS == notNumbered {
		return false, nil
	}
	id, err := namespaceNumber(ctx, w.pod, w.hostNS)
	if err != nil || id != end.peerNS {
		return false, err
	}
	answers, err := w.host.exchange(ctx, getLinkByIndex(end.peer))
	if err != nil {
		return false, err
	}
	peer, err := linkOf(answers[0])
	return err == nil && peer != nil && peer.master != 0, err
}

// namespaceNumber returns the number that c's namespace gives to another, or
// notNumbered (rtnetlink(7), RTM_GETNSID).
func namespaceNumber(ctx context.Context, c *conn, ns *os.File) (int, error) {
	header := struct {
		unix.RtGenmsg
		_ [3]byte
	}{}
	answers, err := c.exchange(ctx, newRequest(unix.RTM_GETNSID, 0, header).number(unix.NETNSA_FD, uint32(ns.Fd())))
	if err == nil {
		err = answers[0].err
	}
	if err != nil {
		return 0, fmt.Errorf("get number of namespace %s: %w", ns.Name(), err)
	}
	for _, m := range answers[0].messages {
		if id := attributes(m.body, unix.NLMSG_ALIGNTO)[unix.NETNSA_NSID]; m.kind == unix.RTM_NEWNSID && len(id) == 4 {
			return int(int32(number(id))), nil
		}
	}
	return notNumbered, nil
}
