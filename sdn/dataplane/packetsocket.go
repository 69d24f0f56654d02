package dataplane

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/effect"
)

// packetSocket is a DHCPSocket of this machine. It hears what the bridge's own
// interface takes in, so that the filters of the bridge's ports have been passed.
type packetSocket struct {
	file   *os.File
	bridge int
	conn   *rtnl.Conn // asks the bridge who is behind which port
}

// dhcpBuffer is the size of a socket's receive buffer, in bytes: room for a
// thousand clients that start at once.
const dhcpBuffer = 1 << 20

// DHCPSocket implements Space.
func (s *linuxSpace) DHCPSocket(bridge int) (DHCPSocket, error) {
	conn, err := rtnl.Dial(s.FD())
	if err != nil {
		return nil, err
	}
	p := &packetSocket{bridge: bridge, conn: conn}
	err = inside(s.ns, func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		p.file = os.NewFile(uintptr(fd), "DHCP clients")
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, dhcpBuffer); err != nil {
			return err
		}
		if err := sift(fd, dhcpSieve()); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: network16(unix.ETH_P_IP), Ifindex: bridge})
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open packet socket: %w", err), p.Close())
	}
	return p, nil
}

// network16 is a number in network byte order.
func network16(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}

// Offsets in a frame with an IPv4 header, in bytes.
const (
	ipAt       = 14
	fragmentAt = ipAt + 6
	protocolAt = ipAt + 9
	toPortAt   = ipAt + 2 // behind the IPv4 header
)

// vlanTagPresent is SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT of linux/filter.h.
const vlanTagPresent = 0xfffff000 + 48

// dhcpSieve lets pass untagged, unfragmented datagrams to DHCP servers.
func dhcpSieve() []unix.SockFilter {
	const accept, refuse = 10, 9 // lines
	return []unix.SockFilter{
		0:  {Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: vlanTagPresent},
		1:  {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0, Jf: refuse - 2},
		2:  {Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: protocolAt},
		3:  {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.IPPROTO_UDP, Jf: refuse - 4},
		4:  {Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: fragmentAt},
		5:  {Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 0x3fff, Jt: refuse - 6},
		6:  {Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: ipAt},
		7:  {Code: unix.BPF_LD | unix.BPF_H | unix.BPF_IND, K: toPortAt},
		8:  {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 67, Jt: accept - 9},
		9:  {Code: unix.BPF_RET | unix.BPF_K},
		10: {Code: unix.BPF_RET | unix.BPF_K, K: ^uint32(0)},
	}
}

func (p *packetSocket) Receive(frame []byte) (int, error) { return p.file.Read(frame) }

func (p *packetSocket) Send(to net.HardwareAddr, frame []byte) error {
	port, known, err := p.conn.StationPort(p.bridge, to)
	if err != nil || !known {
		return errors.Join(err, notBehind(to, known))
	}
	raw, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	werr := raw.Control(func(fd uintptr) {
		err = effect.Do(effect.Frame, "answer a DHCP client", func() error {
			return unix.Sendto(int(fd), frame, unix.MSG_DONTWAIT, &unix.SockaddrLinklayer{Protocol: network16(unix.ETH_P_IP), Ifindex: port})
		})
	})
	return errors.Join(werr, err)
}

func notBehind(to net.HardwareAddr, known bool) error {
	if known {
		return nil
	}
	return fmt.Errorf("%s is behind no port", to)
}

func (p *packetSocket) Interrupt() error { return p.file.SetReadDeadline(time.Unix(0, 0)) }

func (p *packetSocket) Close() error {
	errs := []error{p.conn.Close()}
	if p.file != nil {
		errs = append(errs, p.file.Close())
	}
	return errors.Join(errs...)
}
