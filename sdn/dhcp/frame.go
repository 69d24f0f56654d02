package dhcp

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Sizes of headers, in bytes, and numbers in them.
const (
	etherSize = 14
	ipSize    = 20
	udpSize   = 8

	etherIPv4   = 0x0800
	protocolUDP = 17
	serverPort  = 67
	clientPort  = 68
	fragment    = 0x3fff // more fragments, or an offset
)

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// datagram is a datagram to a DHCP server.
type datagram struct {
	src     net.HardwareAddr
	dst     netip.Addr
	payload []byte
}

// parse takes a frame apart; false when it is no whole datagram to a DHCP server.
func parse(frame []byte) (datagram, bool) {
	if len(frame) < etherSize+ipSize+udpSize || binary.BigEndian.Uint16(frame[12:]) != etherIPv4 {
		return datagram{}, false
	}
	ip := frame[etherSize:]
	head, total := int(ip[0]&0xf)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if ip[0]>>4 != 4 || head < ipSize || total > len(ip) || total < head+udpSize ||
		ip[9] != protocolUDP || binary.BigEndian.Uint16(ip[6:])&fragment != 0 {
		return datagram{}, false
	}
	udp := ip[head:total]
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if binary.BigEndian.Uint16(udp[2:]) != serverPort || length < udpSize || length > len(udp) {
		return datagram{}, false
	}
	return datagram{src: net.HardwareAddr(frame[6:12:12]), dst: netip.AddrFrom4([4]byte(ip[16:20])), payload: udp[udpSize:length]}, true
}

// frame puts an answer in a frame. A client that has no address yet gets it by
// its MAC, unless it says that it cannot (RFC 2131, section 4.1).
func (s *Server) frame(answer, request *dhcpv4.DHCPv4, to net.HardwareAddr, from netip.Addr) []byte {
	everyone := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	mac, dst := to, answer.YourIPAddr
	switch {
	case answer.MessageType() == dhcpv4.MessageTypeNak:
		mac, dst = everyone, net.IPv4bcast
	case !request.ClientIPAddr.IsUnspecified():
		dst = request.ClientIPAddr
	case request.IsBroadcast():
		mac, dst = everyone, net.IPv4bcast
	}
	payload := answer.ToBytes()
	out := make([]byte, 0, etherSize+ipSize+udpSize+len(payload))
	out = append(append(append(out, mac...), s.mac...), etherIPv4>>8, etherIPv4&0xff)
	ip := make([]byte, ipSize)
	ip[0], ip[8], ip[9] = 0x45, 64, protocolUDP
	binary.BigEndian.PutUint16(ip[2:], uint16(ipSize+udpSize+len(payload)))
	copy(ip[12:], from.AsSlice())
	copy(ip[16:], dst.To4())
	binary.BigEndian.PutUint16(ip[10:], ^sum(0, ip))
	udp := make([]byte, udpSize, udpSize+len(payload))
	binary.BigEndian.PutUint16(udp, serverPort)
	binary.BigEndian.PutUint16(udp[2:], clientPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(udpSize+len(payload)))
	udp = append(udp, payload...)
	check := ^sum(uint32(sum(uint32(protocolUDP+len(udp)), ip[12:])), udp)
	if check == 0 { // which says that there is none
		check = 0xffff
	}
	binary.BigEndian.PutUint16(udp[6:], check)
	return append(append(out, ip...), udp...)
}

// sum is the Internet checksum of some bytes, not yet complemented.
func sum(start uint32, b []byte) uint16 {
	total := start
	for ; len(b) >= 2; b = b[2:] {
		total += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		total += uint32(b[0]) << 8
	}
	for total>>16 != 0 {
		total = total&0xffff + total>>16
	}
	return uint16(total)
}
