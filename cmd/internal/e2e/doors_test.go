package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/embedetcd/etcdproxy"
)

// A pod tries every address of the host, of the provider's router and of its own
// and another's, at every port at which the daemon listens; wherever that is.
func TestPodsReachNothingThatTheDaemonListensAt(t *testing.T) {
	for _, at := range []string{"127.0.0.1:8181", "192.0.2.10:8181", "0.0.0.0:8181"} {
		t.Run(at, func(t *testing.T) {
			n := newNode(t, "--listen", at)
			red, _ := n.pod("red", "one"), n.pod("blue", "one")
			require.NoError(t, n.lab.Serve(n.host, tcpPort))
			ports, abstract := n.listens()
			require.Contains(t, ports, uint16(8181), "the API, which is found")
			require.Empty(t, abstract, "unix sockets that no file guards")
			addresses := n.everyAddress()
			require.Contains(t, addresses, red.Gateway)
			require.Contains(t, addresses, hostAddr.Addr())

			_, err := lab.Connect(t.Context(), red.Namespace, netip.AddrPortFrom(hostAddr.Addr(), tcpPort), answered)
			require.NoError(t, err, "a server on the node is reached at its address")
			var all errgroup.Group
			for _, to := range addresses {
				for _, port := range ports {
					all.Go(func() error {
						c, err := lab.Dial(t.Context(), red.Namespace, netip.AddrPortFrom(to, port), 2*time.Second)
						if err != nil {
							return nil
						}
						return errors.Join(fmt.Errorf("a pod reached %s port %d", to, port), c.Close())
					})
				}
			}
			require.NoError(t, all.Wait())
		})
	}
}

// An etcd that listens at all of the node's addresses is closed to pods, however its
// endpoint is written.
func TestPodsReachNoEtcdOnTheNode(t *testing.T) {
	for _, endpoint := range []string{"http://192.0.2.10:2379", "192.0.2.10:2379"} {
		t.Run(endpoint, func(t *testing.T) {
			n, etcd := newHostWithEtcd(t)
			behind, err := url.Parse(etcd)
			require.NoError(t, err)
			p, err := etcdproxy.Between(func() (l net.Listener, err error) {
				err = n.host.Do(func() error {
					l, err = net.Listen("tcp4", "0.0.0.0:2379")
					return err
				})
				return l, err
			}, func(ctx context.Context) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", behind.Path)
			})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, p.Close()) })
			n.start("--etcd-endpoints", endpoint)
			red := n.pod("red", "one")
			require.NoError(t, n.lab.Serve(n.host, tcpPort))
			tries := func(from *lab.Namespace, to netip.Addr, port uint16, within time.Duration) error {
				c, err := lab.Dial(t.Context(), from, netip.AddrPortFrom(to, port), within)
				if err == nil {
					err = c.Close()
				}
				return err
			}
			require.NoError(t, tries(n.host, hostAddr.Addr(), 2379, answered), "the node reaches its etcd")
			require.NoError(t, tries(red.Namespace, hostAddr.Addr(), tcpPort, answered), "a pod reaches another server of the node")
			for _, to := range n.everyAddress() {
				require.Error(t, tries(red.Namespace, to, 2379, unanswered), "a pod reached etcd at %s", to)
			}
		})
	}
}

// listens are the TCP ports at which the daemon's process listens, and its unix
// sockets whose names are in no folder.
func (n *node) listens() (ports []uint16, abstract []string) {
	t := n.t
	t.Helper()
	own := map[string]bool{} // inodes of its sockets
	proc := filepath.Join("/proc", strconv.Itoa(n.daemon.Pid()))
	descriptors, err := os.ReadDir(proc + "/fd")
	require.NoError(t, err)
	for _, d := range descriptors {
		to, err := os.Readlink(filepath.Join(proc, "fd", d.Name()))
		if inode, found := strings.CutPrefix(to, "socket:["); err == nil && found {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	require.NotEmpty(t, own)
	for _, table := range []string{"tcp", "tcp6", "unix"} {
		var text []byte
		require.NoError(t, n.host.Do(func() (err error) { // a thread of the daemon may be elsewhere
			text, err = os.ReadFile("/proc/thread-self/net/" + table)
			return err
		}))
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			switch {
			case table == "unix" && len(f) == 8 && own[f[6]] && strings.HasPrefix(f[7], "@"):
				abstract = append(abstract, f[7])
			case table != "unix" && len(f) > 9 && own[f[9]] && f[3] == "0A": // TCP_LISTEN
				_, port, _ := strings.Cut(f[1], ":")
				number, err := strconv.ParseUint(port, 16, 16)
				require.NoError(t, err, line)
				ports = append(ports, uint16(number))
			}
		}
	}
	return ports, abstract
}

// everyAddress are those of the host and of all namespaces that the daemon made.
func (n *node) everyAddress() (all []netip.Addr) {
	t := n.t
	t.Helper()
	look := func() error {
		found, err := netlink.AddrList(nil, netlink.FAMILY_V4)
		for _, a := range found {
			ip, ok := netip.AddrFromSlice(a.IP.To4())
			if !ok {
				return fmt.Errorf("address %s", a.IP)
			}
			all = append(all, ip)
		}
		return err
	}
	require.NoError(t, n.host.Do(look))
	homes, err := os.ReadDir(n.daemon.NetnsDir())
	require.NoError(t, err)
	for _, h := range homes {
		require.NoError(t, lab.In(filepath.Join(n.daemon.NetnsDir(), h.Name()), look))
	}
	return all
}
