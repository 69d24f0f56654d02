package dataplane_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"
)

// dhcpClient is a DHCP client on a pod's interface. It speaks through a raw
// socket, so that no address of the pod matters.
type dhcpClient struct {
	wire
	id uint32
}

func newDHCPClient(t *testing.T, p pod) *dhcpClient { return &dhcpClient{wire: tap(t, p.ns)} }

// Kinds of message.
const (
	dhcpDiscover = 1
	dhcpOffer    = 2
	dhcpRequest  = 3
	dhcpACK      = 5
	dhcpNAK      = 6
)

// answer is what a server sent.
type answer struct {
	src, dst net.HardwareAddr
	to, your netip.Addr
	options  map[byte][]byte
}

func (a answer) kind() byte { return a.options[53][0] }

func (a answer) seconds(code byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(a.options[code])) * time.Second
}

// say broadcasts a message with options as they stand in it, and returns the
// answer, if one comes in time.
func (c *dhcpClient) say(kind byte, has netip.Addr, options ...byte) (a answer, ok bool) {
	c.t.Helper()
	c.id++
	c.send(c.frame(kind, has, options))
	ok = c.sees(300*time.Millisecond, func(frame []byte) (mine bool) {
		a, mine = c.parse(frame)
		return mine
	})
	return a, ok
}

func (c *dhcpClient) frame(kind byte, has netip.Addr, options []byte) []byte {
	m := make([]byte, 236)
	m[0], m[1], m[2] = 1, 1, 6
	binary.BigEndian.PutUint32(m[4:], c.id)
	if has.IsValid() {
		copy(m[12:], has.AsSlice())
	}
	copy(m[28:], c.mac)
	m = append(m, 0x63, 0x82, 0x53, 0x63, 53, 1, kind)
	m = append(append(m, options...), 255)
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255}
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(m)))
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	udp := []byte{0, 68, 0, 67, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(udp[4:], uint16(8+len(m)))
	head := append(append(bytes.Clone(everyone), c.mac...), 8, 0)
	return append(append(append(head, ip...), udp...), m...)
}

// parse reads an answer to the last message.
func (c *dhcpClient) parse(frame []byte) (answer, bool) {
	if len(frame) < 42+240 || frame[12] != 8 || frame[23] != 17 || !bytes.Equal(frame[34:38], []byte{0, 67, 0, 68}) {
		return answer{}, false
	}
	m := frame[42:]
	if m[0] != 2 || binary.BigEndian.Uint32(m[4:]) != c.id || !bytes.Equal(m[28:34], c.mac) || checksum(frame[14:34]) != 0 {
		return answer{}, false
	}
	a := answer{
		dst: bytes.Clone(frame[:6]), src: bytes.Clone(frame[6:12]),
		to: netip.AddrFrom4([4]byte(frame[30:34])), your: netip.AddrFrom4([4]byte(m[16:20])), options: make(map[byte][]byte),
	}
	for b := m[240:]; len(b) > 2 && b[0] != 255; b = b[2+int(b[1]):] {
		a.options[b[0]] = bytes.Clone(b[2 : 2+int(b[1])])
	}
	return a, true
}

// lease asks for an address from the start; false when there is no answer.
func (c *dhcpClient) lease() (answer, bool) {
	offer, ok := c.say(dhcpDiscover, netip.Addr{})
	if !ok || offer.kind() != dhcpOffer {
		return offer, false
	}
	wish := append([]byte{50, 4}, offer.your.AsSlice()...)
	chosen := append([]byte{54, 4}, offer.options[54]...)
	ack, ok := c.say(dhcpRequest, netip.Addr{}, append(wish, chosen...)...)
	return ack, ok && ack.kind() == dhcpACK
}
