package e2e

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// A pod says that it is somebody else. blue's chain lets everything in, and red's
// everything to blue out once the source was checked, so that what does not
// arrive was stopped for its source.
func TestASourceThatIsNotThePodsIsLost(t *testing.T) {
	n := newNode(t, "--port-security=false") // the chains alone
	red, second, blue, blue2 := n.pod("red", "one"), n.pod("red", "two"), n.pod("blue", "one"), n.pod("blue", "two")
	wire, blueWire := n.tap(red), n.tap(blue)
	router := neighbour(t, wire, red, red.Gateway)
	require.NotNil(t, router)
	send := func(src netip.Addr, payload string) {
		require.NoError(t, wire.Send(echoFrame(t, podMAC(t, red), router, src, blue.Address, payload)))
	}
	n.reaches(n.host, blue.Address) // what the host's own address may do
	send(netip.MustParseAddr("100.64.0.1"), "as the host")
	require.False(t, hears(t, blueWire, "as the host"), "red passed for the host")

	n.letIn("blue", map[string]any{})
	rest, err := n.daemon.REST(t.Context(), listen)
	require.NoError(t, err)
	_, err = rest.Post(t.Context(), "/chains/"+n.show("red").OutChain+"/rules", "Rule-v2", map[string]any{
		"type": "accept", "position": 3, "nwDstAddress": blue.Address, "nwDstLength": 32})
	require.NoError(t, err, "behind the check of sources, everything to blue may leave red")
	require.Eventually(t, func() bool {
		send(red.Address, "as itself")
		return hears(t, blueWire, "as itself")
	}, 10*time.Second, 10*time.Millisecond, "with its own source the same frame arrives")
	for name, src := range map[string]netip.Addr{
		"the host's uplink": netip.MustParseAddr("100.64.0.1"), "the provider's uplink": netip.MustParseAddr("100.64.0.2"),
		"the node": hostAddr.Addr(), "the outside": outsideAddr.Addr(),
		"a pod of blue": blue2.Address, "blue's gateway": blue.Gateway, "blue's subnet": nth(blue.Gateway, 200),
		"blue's transit address": n.show("blue").Transit, "red's transit address": n.show("red").Transit,
	} {
		send(src, "not red")
		require.False(t, hears(t, blueWire, "not red"), "red passed for %s, %s", name, src)
	}
	send(second.Address, "one of red")
	require.True(t, arrives(t, blueWire, "one of red"), "within the tenant's subnet sources are the tenant's own affair")
}

// The node's services answer pods, as they must (a kubelet's, a DNS server's);
// Moat's own are not among them.
func TestPodsReachNeitherTheAPINorEtcd(t *testing.T) {
	n := newNode(t)
	red := n.pod("red", "one")
	require.NoError(t, n.lab.Serve(n.host, tcpPort))
	_, err := n.daemon.REST(t.Context(), listen)
	require.NoError(t, err, "the host itself reaches the API")

	uplink := netip.MustParseAddr("100.64.0.1")
	_, err = lab.Connect(t.Context(), red.Namespace, netip.AddrPortFrom(hostAddr.Addr(), tcpPort), answered)
	require.NoError(t, err, "a server on the node is reached at its address")
	_, err = lab.Connect(t.Context(), red.Namespace, netip.AddrPortFrom(uplink, tcpPort), unanswered)
	require.Error(t, err, "and not at its end of the uplink")
	for _, to := range []netip.Addr{
		netip.MustParseAddr("127.0.0.1"), uplink, hostAddr.Addr(), red.Gateway, netip.MustParseAddr("100.64.0.2"), n.show("red").Transit,
	} {
		for _, port := range []uint16{listen.Port(), 2379, 2380} {
			c, err := lab.Dial(t.Context(), red.Namespace, netip.AddrPortFrom(to, port), unanswered)
			if err == nil {
				_ = c.Close()
			}
			require.Error(t, err, "a pod reached %s port %d", to, port)
		}
	}
}
