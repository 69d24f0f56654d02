package rtnl

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/effect"
)

// SpaceID is the number by which the namespace of c knows the one that fd
// refers to; one is assigned where there is none yet.
func (c *Conn) SpaceID(fd int) (int, error) {
	id, err := c.KnownSpaceID(fd)
	if err != nil || id >= 0 {
		return id, err
	}
	err = effect.Do(effect.Rtnetlink, "number a namespace", func() error {
		_, err := c.nsid(unix.RTM_NEWNSID, netlink.Request|netlink.Acknowledge, fd, true)
		return err
	})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return 0, fmt.Errorf("assign an ID to a namespace: %w", err)
	}
	return c.KnownSpaceID(fd)
}

// KnownSpaceID is like SpaceID but assigns none: without one it is -1.
func (c *Conn) KnownSpaceID(fd int) (int, error) {
	msgs, err := c.nsid(unix.RTM_GETNSID, netlink.Request, fd, false)
	if err != nil {
		return 0, fmt.Errorf("ask for the ID of a namespace: %w", err)
	}
	for _, m := range msgs {
		ad, err := netlink.NewAttributeDecoder(m.Data[min(4, len(m.Data)):])
		if err != nil {
			return 0, err
		}
		for ad.Next() {
			if ad.Type() == unix.NETNSA_NSID {
				return int(ad.Int32()), ad.Err()
			}
		}
	}
	return 0, errors.New("ask for the ID of a namespace: the answer has none")
}

func (c *Conn) nsid(kind uint16, flags netlink.HeaderFlags, fd int, assign bool) ([]netlink.Message, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Uint32(unix.NETNSA_FD, uint32(fd))
	if assign {
		ae.Int32(unix.NETNSA_NSID, -1)
	}
	attrs, err := ae.Encode()
	if err != nil {
		return nil, err
	}
	header := []byte{unix.AF_UNSPEC, 0, 0, 0}
	return c.c.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: flags}, Data: append(header, attrs...),
	})
}
