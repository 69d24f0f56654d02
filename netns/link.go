package netns

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Values of the kernel's user interface that x/sys/unix does not name.
const (
	vethInfoPeer   = 1 // VETH_INFO_PEER, linux/veth.h
	operUp         = 6 // IF_OPER_UP, RFC 2863
	portDisabled   = 0 // BR_STATE_DISABLED, linux/if_bridge.h
	brportState    = 1 // IFLA_BRPORT_STATE
	infoSlaveKind  = 4 // IFLA_INFO_SLAVE_KIND
	infoSlaveData  = 5 // IFLA_INFO_SLAVE_DATA
	filterNoStats  = 8 // RTEXT_FILTER_SKIP_STATS, linux/rtnetlink.h
	loopbackIndex  = 1 // of lo, in each namespace
	unknownPort    = -1
	notNumbered    = unix.NETNSA_NSID_NOT_ASSIGNED
	etherAddrBytes = 6
)

// link is what the kernel says of one interface.
type link struct {
	index     int
	peer      int // index of a veth's other end, in its own namespace
	peerNS    int // the number that the link's namespace gives to that; notNumbered: its own
	name      string
	alias     string
	mac       net.HardwareAddr
	mtu       int
	master    int
	up        bool // administratively
	running   bool // operational state UP: carrier, queues attached
	portState int  // of a bridge port; unknownPort for others
}

func getLink(name string) *request {
	return newRequest(unix.RTM_GETLINK, 0, unix.IfInfomsg{}).
		text(unix.IFLA_IFNAME, name).
		number(unix.IFLA_EXT_MASK, filterNoStats)
}

func getLinkByIndex(index int) *request {
	return newRequest(unix.RTM_GETLINK, 0, unix.IfInfomsg{Index: int32(index)}).
		number(unix.IFLA_EXT_MASK, filterNoStats)
}

// findLink returns the interface called name, or nil when there is none.
func findLink(ctx context.Context, c *conn, name string) (*link, error) {
	answers, err := c.exchange(ctx, getLink(name))
	if err != nil {
		return nil, err
	}
	return linkOf(answers[0])
}

// linkOf reads the answer to getLink; nil: there is no such interface.
func linkOf(a answer) (*link, error) {
	if errors.Is(a.err, unix.ENODEV) {
		return nil, nil
	}
	if a.err != nil {
		return nil, fmt.Errorf("get interface: %w", a.err)
	}
	for _, m := range a.messages {
		if m.kind == unix.RTM_NEWLINK {
			return parseLink(m.body), nil
		}
	}
	return nil, nil
}

func parseLink(body []byte) *link {
	if len(body) < unix.SizeofIfInfomsg {
		return &link{portState: unknownPort}
	}
	a := attributes(body, unix.SizeofIfInfomsg)
	l := &link{
		index:     int(number(body[4:])),
		peer:      int(number(a[unix.IFLA_LINK])),
		name:      text(a[unix.IFLA_IFNAME]),
		alias:     text(a[unix.IFLA_IFALIAS]),
		mac:       a[unix.IFLA_ADDRESS],
		mtu:       int(number(a[unix.IFLA_MTU])),
		master:    int(number(a[unix.IFLA_MASTER])),
		up:        number(body[8:])&unix.IFF_UP != 0,
		peerNS:    notNumbered,
		portState: unknownPort,
	}
	if id := a[unix.IFLA_LINK_NETNSID]; len(id) == 4 {
		l.peerNS = int(int32(number(id)))
	}
	if state := a[unix.IFLA_OPERSTATE]; len(state) == 1 {
		l.running = state[0] == operUp
	}
	info := attributes(a[unix.IFLA_LINKINFO], 0)
	if text(info[infoSlaveKind]) == "bridge" {
		if state := attributes(info[infoSlaveData], 0)[brportState]; len(state) == 1 {
			l.portState = int(state[0])
		}
	}
	return l
}

// forwards says whether the host end passes frames as far as its own state
// goes: carrier is there and, on a bridge that is up, its port is not disabled.
func (l *link) forwards(master *link) bool {
	if !l.running {
		return false
	}
	if master == nil || !master.up {
		return true
	}
	return master.running && l.portState != portDisabled
}
