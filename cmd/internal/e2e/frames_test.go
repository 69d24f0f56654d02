package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// tap sees and sends whole frames at the pod's interface until the test's end.
func (n *node) tap(p *lab.Pod) *lab.Wire {
	n.t.Helper()
	wire, err := p.Tap("eth0")
	require.NoError(n.t, err)
	n.t.Cleanup(func() { require.NoError(n.t, wire.Close()) })
	return wire
}

// tenantView is what `moat tenant show -o json` says.
type tenantView struct {
	Subnets  []netip.Prefix `json:"subnets"`
	Transit  netip.Addr     `json:"transit"`
	InChain  string         `json:"inChain"`
	OutChain string         `json:"outChain"`
}

func (n *node) show(tenant string) (v tenantView) {
	n.t.Helper()
	require.NoError(n.t, json.Unmarshal([]byte(n.cli("tenant", "show", tenant, "-o", "json")), &v))
	return v
}

// letIn puts a rule at the head of a tenant's inbound chain that accepts what
// meets the condition.
func (n *node) letIn(tenant string, condition map[string]any) {
	n.t.Helper()
	n.accept(n.show(tenant).InChain, condition)
}

// letOut does the same in the outbound chain.
func (n *node) letOut(tenant string, condition map[string]any) {
	n.t.Helper()
	n.accept(n.show(tenant).OutChain, condition)
}

func (n *node) accept(chain string, condition map[string]any) {
	n.t.Helper()
	rest, err := n.daemon.REST(n.t.Context(), listen)
	require.NoError(n.t, err)
	condition["type"], condition["position"] = "accept", 1
	_, err = rest.Post(n.t.Context(), "/chains/"+chain+"/rules", "Rule-v2", condition)
	require.NoError(n.t, err)
}

// arrives waits until a frame with the payload comes by, as it must.
func arrives(t *testing.T, wire *lab.Wire, payload string) bool {
	t.Helper()
	_, err := wire.CollectUntil(func(f []byte) bool { return bytes.Contains(f, []byte(payload)) }, answered)
	return err == nil
}

// hears says whether a frame with the payload, that may not, comes by for a while.
func hears(t *testing.T, wire *lab.Wire, payload string) bool {
	t.Helper()
	frames, err := wire.Collect(unanswered)
	require.NoError(t, err)
	for _, f := range frames {
		if bytes.Contains(f, []byte(payload)) {
			return true
		}
	}
	return false
}

// nth is the address n behind a.
func nth(a netip.Addr, n int) netip.Addr {
	b := a.As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(n))
	return netip.AddrFrom4(b)
}

func mac(t *testing.T, s string) []byte {
	t.Helper()
	m, err := net.ParseMAC(s)
	require.NoError(t, err)
	return m
}

func podMAC(t *testing.T, p *lab.Pod) []byte { return mac(t, p.Result.Interfaces[1].Mac) }

// neighbour asks for one address, more than once if need be, and returns the MAC of
// whoever answers, or nil.
func neighbour(t *testing.T, wire *lab.Wire, p *lab.Pod, ask netip.Addr) []byte {
	t.Helper()
	for end := time.Now().Add(answered); time.Now().Before(end); {
		if found, ok := neighbours(t, wire, p, ask)[ask]; ok {
			return mac(t, found)
		}
	}
	return nil
}

// neighbours asks ARP (RFC 826) for addresses, all at once, and returns the MAC
// of whoever answers.
func neighbours(t *testing.T, wire *lab.Wire, p *lab.Pod, ask ...netip.Addr) map[netip.Addr]string {
	t.Helper()
	own := podMAC(t, p)
	for _, a := range ask {
		require.NoError(t, wire.Send(bytes.Join([][]byte{
			{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, own, {0x08, 0x06},
			{0, 1, 8, 0, 6, 4, 0, 1}, own, p.Address.AsSlice(), make([]byte, 6), a.AsSlice(),
		}, nil)))
	}
	frames, err := wire.Collect(unanswered)
	require.NoError(t, err)
	found := map[netip.Addr]string{}
	for _, f := range frames {
		if len(f) >= 42 && binary.BigEndian.Uint16(f[12:14]) == 0x0806 && f[21] == 2 {
			found[netip.AddrFrom4([4]byte(f[28:32]))] = net.HardwareAddr(f[22:28]).String()
		}
	}
	return found
}

// echoFrame is an ICMP echo request inside a frame.
func echoFrame(t *testing.T, src, dst []byte, from, to netip.Addr, payload string) []byte {
	t.Helper()
	echo := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: 7, Seq: 7, Data: []byte(payload)}}
	body, err := echo.Marshal(nil)
	require.NoError(t, err)
	h := ipv4.Header{Version: 4, Len: 20, TotalLen: 20 + len(body), TTL: 64, Protocol: 1, Src: from.AsSlice(), Dst: to.AsSlice()}
	head, err := h.Marshal()
	require.NoError(t, err)
	binary.BigEndian.PutUint16(head[2:4], uint16(h.TotalLen))
	binary.BigEndian.PutUint16(head[10:12], checksum(head))
	return bytes.Join([][]byte{dst, src, {0x08, 0x00}, head, body}, nil)
}

// checksum is the internet checksum, RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// allNodesFrame is an ICMPv6 echo request to ff02::1 from a link-local address.
func allNodesFrame(t *testing.T, src []byte, payload string) []byte {
	t.Helper()
	from := net.IP{0xfe, 0x80, 8: src[0] ^ 2, src[1], src[2], 0xff, 0xfe, src[3], src[4], src[5]}
	to := net.ParseIP("ff02::1")
	echo := icmp.Message{Type: ipv6.ICMPTypeEchoRequest, Body: &icmp.Echo{ID: 7, Seq: 7, Data: []byte(payload)}}
	body, err := echo.Marshal(icmp.IPv6PseudoHeader(from, to))
	require.NoError(t, err)
	head := []byte{0x60, 0, 0, 0, 0, byte(len(body)), 58, 255}
	return bytes.Join([][]byte{{0x33, 0x33, 0, 0, 0, 1}, src, {0x86, 0xdd}, head, from, to, body}, nil)
}

// towards matches packets from one address to another.
func towards(src, dst netip.Addr) map[string]any {
	return map[string]any{"nwSrcAddress": src, "nwSrcLength": 32, "nwDstAddress": dst, "nwDstLength": 32}
}
