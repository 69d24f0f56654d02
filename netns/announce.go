package netns

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/effect"
)

const (
	arpFrameSize  = 42
	arpEthernet   = 1
	arpRequest    = 1
	etherTypeARP  = 0x0806
	etherTypeIPv4 = 0x0800
)

// crier is a packet socket in the pod's namespace that announces its addresses.
type crier struct{ fd int }

func openCrier(ns *os.File) (*crier, error) {
	fd, err := socketIn(ns, unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	return &crier{fd}, nil
}

// close waits for RCU, some 10 ms.
func (c *crier) close() { unix.Close(c.fd) }

// announce broadcasts a gratuitous ARP request for each IPv4 address of the
// pod's end (RFC 5227, section 3). Whoever still knows the address by the MAC of
// the pod that had it before learns the new one, and the bridge learns the port.
func (c *crier) announce(v Veth, made Made) error {
	to := &unix.SockaddrLinklayer{Ifindex: made.PodIndex, Halen: etherAddrBytes}
	for _, p := range v.Addresses {
		if !p.Addr().Is4() {
			continue
		}
		err := effect.Do(effect.Frame, "announce the address of a pod", func() error {
			return unix.Sendto(c.fd, gratuitousARP(made.PodMAC, p.Addr()), 0, to)
		})
		if err != nil {
			return fmt.Errorf("announce %s: %w", p.Addr(), err)
		}
	}
	return nil
}

func gratuitousARP(mac net.HardwareAddr, addr netip.Addr) []byte {
	everyone := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	ip := addr.AsSlice()
	f := make([]byte, 0, arpFrameSize)
	f = append(f, everyone...)
	f = append(f, mac...)
	f = binary.BigEndian.AppendUint16(f, etherTypeARP)
	f = binary.BigEndian.AppendUint16(f, arpEthernet)
	f = binary.BigEndian.AppendUint16(f, etherTypeIPv4)
	f = append(f, etherAddrBytes, byte(len(ip)))
	f = binary.BigEndian.AppendUint16(f, arpRequest)
	f = append(f, mac...)
	f = append(f, ip...)
	f = append(f, make([]byte, etherAddrBytes)...)
	return append(f, ip...)
}
