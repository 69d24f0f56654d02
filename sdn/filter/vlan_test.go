package filter_test

import (
	"encoding/binary"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn"
)

// sendTagged sends packets from a to b's MAC in frames with a VLAN tag, of
// which all but the ID is priority, and returns what arrived.
func (l *lab) sendTagged(tag uint16, ps ...packet) map[string][]packet {
	l.t.Helper()
	return l.sendFrames(memberMAC(2), binary.BigEndian.AppendUint16([]byte{0x81, 0x00}, tag), ps...)
}

// sendFrames sends packets from a to a MAC, with a tag or none, and returns what
// arrived.
func (l *lab) sendFrames(to net.HardwareAddr, tag []byte, ps ...packet) map[string][]packet {
	l.t.Helper()
	do(l.t, l.hosts["a"].ns, func() error {
		s, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(s) }()
		port, err := portIndex(s)
		for _, p := range ps {
			frame := slices.Concat(to, memberMAC(1), tag, []byte{0x08, 0x00}, p.bytes())
			if err == nil {
				err = unix.Sendto(s, frame, 0, &unix.SockaddrLinklayer{Ifindex: port, Halen: 6})
			}
		}
		return err
	})
	return l.send("a")
}

// portIndex is the index of the host's interface.
func portIndex(socket int) (int, error) {
	r, err := unix.NewIfreq("port")
	if err != nil {
		return 0, err
	}
	err = unix.IoctlIfreq(socket, unix.SIOCGIFINDEX, r)
	return int(r.Uint32()), err
}

func TestVLANsOnABridge(t *testing.T) {
	l := newBridgeLab(t)
	p := udpPacket("10.1.0.11", "10.1.0.12", 2001, 80)
	first := fragmented("10.1.0.11", "10.1.0.12", 2, 80)[0]
	const high = 7 << 13 // priority
	for _, c := range []struct {
		name                    string
		c                       sdn.Condition
		plain, five, six, first bool // what is dropped: untagged, in VLAN 5, in VLAN 6, a first fragment in VLAN 5
	}{
		{"any VLAN", sdn.Condition{VLAN: number(0), DLType: number(1536)}, false, false, false, false},
		{"a VLAN", sdn.Condition{VLAN: number(5)}, false, true, false, true},
		{"all but a VLAN", sdn.Condition{VLAN: number(5), Invert: true}, true, false, true, false},
		{"no VLAN", sdn.Condition{NoVLAN: true}, true, false, false, false},
		{"any but none", sdn.Condition{NoVLAN: true, Invert: true}, false, true, true, true},
		{"both", sdn.Condition{NoVLAN: true, VLAN: number(5)}, false, false, false, false},
		{"what a tagged frame holds", sdn.Condition{VLAN: number(5), Src: prefix("10.1.0.11/32"), TPDst: &sdn.PortRange{Start: 80, End: 80}, Proto: number(udp)}, false, true, false, true},
		{"what it holds not", sdn.Condition{VLAN: number(5), Dst: prefix("10.9.0.0/16"), InvDst: true}, false, true, false, true},
		{"something else", sdn.Condition{VLAN: number(5), DLType: number(0x86dd)}, false, false, false, false},
		{"unless it holds that", sdn.Condition{VLAN: number(5), TPDst: &sdn.PortRange{Start: 81, End: 81}, Invert: true}, true, true, true, true},
		{"whole", sdn.Condition{VLAN: number(5), Fragment: sdn.FragmentUnfragmented}, false, true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			runBridge(t, l, bridgeTopology([]sdn.Rule{when(c.c, drop())}, nil))
			want := func(dropped bool, p packet) []string {
				if dropped {
					return []string{}
				}
				return []string{"at b: " + p.String()}
			}
			require.Equal(t, want(c.plain, p), text(l.send("a", p)), "untagged")
			require.Equal(t, want(c.five, p), text(l.sendTagged(5|high, p)), "VLAN 5")
			require.Equal(t, want(c.six, p), text(l.sendTagged(6, p)), "VLAN 6")
			require.Equal(t, want(c.first, first), text(l.sendTagged(5, first)), "fragment")
		})
	}
}

// A router takes no tagged frames, so all that it sees is untagged.
func TestVLANsOnARouter(t *testing.T) {
	p := udpPacket("10.1.0.5", "10.3.0.7", 2001, 80)
	run(t, labTopology([]sdn.Rule{when(sdn.Condition{VLAN: number(5)}, drop())}, nil), sends("pods", p, "at third: "+p.String()))
	run(t, labTopology([]sdn.Rule{when(sdn.Condition{NoVLAN: true}, drop())}, nil), sends("pods", p))
}
