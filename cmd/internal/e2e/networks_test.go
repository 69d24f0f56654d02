package e2e

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// several is a node whose pods get the networks that an HTTPS service names.
type several struct {
	*node
	source *httptest.Server
	leases string // folder of host-local

	mu    sync.Mutex
	data  map[string][]map[string]any // by pod's name
	raw   http.HandlerFunc            // instead of data
	asked int
}

const sourceToken = "t0ken-of-the-source"

// networkFiles are those of networksDir; host-local keeps its leases in the folder.
func networkFiles(socket, leases string) map[string]string {
	return map[string]string{
		"storage.conflist": fmt.Sprintf(`{"cniVersion":"1.1.0","name":"storage","plugins":[{"type":"macvlan","master":"eth0",
			"ipam":{"type":"moat-ipam","socket":%q,"coolDown":"0","ranges":[[{"subnet":"10.77.0.0/24"}]]}}]}`, socket),
		"backup.conf": fmt.Sprintf(`{"cniVersion":"1.0.0","name":"backup","type":"ptp",
			"ipam":{"type":"host-local","dataDir":%q,"ranges":[[{"subnet":"10.78.0.0/24","rangeStart":"10.78.0.2","rangeEnd":"10.78.0.3"}]]}}`, leases),
		"lan.json":  `{"cniVersion":"1.0.0","name":"lan","type":"bridge","bridge":"lan0","isGateway":true,"ipam":{"type":"dockin-ipam"}}`,
		"slow.conf": `{"cniVersion":"1.0.0","name":"slow","type":"slow"}`,
	}
}

// slowPlugin never ends an ADD.
const slowPlugin = "#!/bin/sh\nif [ \"$CNI_COMMAND\" = ADD ]; then exec sleep 60; fi\n"

func newSeveral(t *testing.T) *several {
	buildReference(t, "main/macvlan", "main/ptp", "main/bridge", "ipam/host-local", "ipam/static")
	require.NoError(t, os.WriteFile(filepath.Join(bin, "slow"), []byte(slowPlugin), 0o755))
	s := &several{node: newHost(t), data: map[string][]map[string]any{}}
	s.leases = filepath.Join(s.lab.Dir, "leases")
	s.source = httptest.NewUnstartedServer(http.HandlerFunc(s.answer))
	require.NoError(t, s.source.Listener.Close())
	require.NoError(t, s.host.Do(func() (err error) {
		s.source.Listener, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	}))
	s.source.StartTLS()
	t.Cleanup(s.source.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.source.Certificate().Raw})
	files := map[string]string{"ca.pem": string(ca), "token": sourceToken, "moat.yaml": fmt.Sprintf(
		"networkSource: {url: \"%[1]s/pods\", caFile: %[2]s/ca.pem, tokenFile: %[2]s/token, networksDir: %[2]s/networks.d, namespaces: [blue]}\n",
		s.source.URL, s.lab.Dir)}
	for name, text := range networkFiles(filepath.Join(s.lab.Dir, "moat.sock"), s.leases) {
		files["networks.d/"+name] = text
	}
	require.NoError(t, os.Mkdir(filepath.Join(s.lab.Dir, "networks.d"), 0o700))
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(s.lab.Dir, name), []byte(text), 0o600))
	}
	s.start("--config", filepath.Join(s.lab.Dir, "moat.yaml"))
	return s
}

// answer is the source's, in the form of Dockin's.
func (s *several) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.raw != nil {
		s.raw(w, r)
		return
	}
	data, known := s.data[r.URL.Query().Get("podName")]
	answer := map[string]any{"code": 0, "reqId": "r", "message": "success", "data": data}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+sourceToken:
		w.WriteHeader(http.StatusUnauthorized)
		return
	case r.URL.Query().Get("podNamespace") != "blue", !known:
		answer = map[string]any{"code": 404, "message": "no such pod"}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

type network = map[string]any

// gets says which networks a pod gets, and makes it.
func (s *several) gets(name string, networks ...network) *lab.Pod {
	s.t.Helper()
	s.mu.Lock()
	s.data[name] = networks
	s.mu.Unlock()
	p, err := s.lab.NewPod("blue", name)
	require.NoError(s.t, err)
	return p
}

func (s *several) add(name string, networks ...network) *lab.Pod {
	s.t.Helper()
	p := s.gets(name, networks...)
	require.NoError(s.t, s.rt.Add(s.t.Context(), p))
	return p
}

func (s *several) interfaces(in *lab.Namespace) []string { return interfacesOf(s.t, in) }

// interfacesOf are the names of a namespace's interfaces.
func interfacesOf(t *testing.T, in *lab.Namespace) []string {
	t.Helper()
	var names []string
	require.NoError(t, in.Do(func() error {
		links, err := netlink.LinkList()
		for _, l := range links {
			names = append(names, l.Attrs().Name)
		}
		return err
	}))
	slices.Sort(names)
	return names
}

// held are the addresses that host-local has leased.
func (s *several) held() []string {
	files, err := filepath.Glob(filepath.Join(s.leases, "backup", "10.*"))
	require.NoError(s.t, err)
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	return files
}

// recorded are the folders of pods of several networks.
func (s *several) recorded() []os.DirEntry {
	s.t.Helper()
	all, err := os.ReadDir(filepath.Join(s.daemon.DataDir(), "networks"))
	if err != nil {
		require.ErrorIs(s.t, err, os.ErrNotExist)
	}
	return all
}

// nothingOf says that a pod has nothing left, and the host what it had before.
func (s *several) nothingOf(p *lab.Pod, before []string) {
	s.t.Helper()
	require.Equal(s.t, []string{"lo"}, s.interfaces(p.Namespace))
	require.Equal(s.t, before, s.interfaces(s.host))
	require.Empty(s.t, s.held())
	require.Empty(s.t, s.recorded())
}

func own(podIP string) network {
	n := network{"type": "moat", "ifName": "eth0", "master": true}
	if podIP != "" {
		n["podIp"], n["subnetMask"] = podIP, "255.255.252.0"
	}
	return n
}

func storage(podIP string) network {
	return network{"type": "storage", "ifName": "net1", "podIp": podIP, "subnetMask": "ffffff00"}
}

func backup() network { return network{"type": "backup", "ifName": "net2"} }

// TestSeveralNetworksOfAPod: three networks of one pod, each by another plugin.
func TestSeveralNetworksOfAPod(t *testing.T) {
	s := newSeveral(t)
	plain, err := s.lab.NewPod("red", "plain")
	require.NoError(t, err)
	require.NoError(t, s.rt.Add(t.Context(), plain))
	require.Zero(t, s.asked, "the source is asked for pods of blue alone")
	first := s.add("one", own(""))
	before := s.interfaces(s.host)

	address := first.Address.Next().Next().Next()
	p := s.add("three", own(address.String()), storage("10.77.0.33"), backup())
	require.Equal(t, address, p.Address, "the one that was asked for")
	require.Len(t, p.Result.IPs, 1)
	require.Equal(t, []string{"eth0", "lo", "net1", "net2"}, s.interfaces(p.Namespace))
	require.Len(t, p.Result.Interfaces, 5, "eth0, net1 and net2, and two ends on the host")
	other := s.add("other", own(""), storage("10.77.0.34"))

	s.reaches(p.Namespace, first.Address)
	s.reaches(p.Namespace, outsideAddr.Addr())
	s.reaches(p.Namespace, netip.MustParseAddr("10.77.0.34"))
	s.reaches(p.Namespace, netip.MustParseAddr("10.78.0.1"))
	s.reachesNot(plain.Namespace, p.Address)
	require.NoError(t, s.rt.Check(t.Context(), p))
	result := p.Result
	require.NoError(t, s.rt.Add(t.Context(), p))
	require.Equal(t, result, p.Result, "a repeated ADD answers the same")

	require.NoError(t, p.Do(func() error {
		link, err := netlink.LinkByName("net1")
		require.NoError(t, err)
		return netlink.LinkDel(link)
	}))
	require.ErrorContains(t, s.rt.Check(t.Context(), p), `network "storage", interface net1`)

	require.NoError(t, s.daemon.Kill())
	s.source.CloseClientConnections()
	require.NoError(t, s.daemon.Start(t.Context()))
	asked := s.asked
	require.NoError(t, s.rt.Del(t.Context(), other))
	p.Args.NetNS = "" // as when the namespace is gone
	for range 2 {
		require.NoError(t, s.rt.Del(t.Context(), p))
	}
	require.Equal(t, asked, s.asked, "DEL asks nobody")
	require.NoError(t, p.Namespace.Remove())
	require.Eventually(t, func() bool { return slices.Equal(before, s.interfaces(s.host)) }, 10*time.Second, 20*time.Millisecond)
	require.Empty(t, s.held())
	again := s.add("again", own(address.String()), storage("10.77.0.33"))
	require.NoError(t, s.rt.Check(t.Context(), again), "both addresses are free")
	for _, p := range []*lab.Pod{again, first, plain} {
		require.NoError(t, s.rt.Del(t.Context(), p))
	}
}

// TestAMasterOfAnotherPlugin: a pod without its tenant's network.
func TestAMasterOfAnotherPlugin(t *testing.T) {
	s := newSeveral(t)
	t.Cleanup(func() { require.NoError(t, s.host.CutLink("lan0")) })
	p := s.add("lan", network{"type": "lan", "master": true, "podIp": "10.79.0.5", "subnetMask": "255.255.255.0", "gateway": "10.79.0.1"}, backup())
	require.Equal(t, netip.MustParseAddr("10.79.0.5"), p.Address)
	require.Equal(t, netip.MustParseAddr("10.79.0.1"), p.Gateway)
	require.Len(t, p.Result.Routes, 1, "a default route")
	s.reaches(p.Namespace, netip.MustParseAddr("10.79.0.1"))
	s.reaches(p.Namespace, hostAddr.Addr())
	s.reaches(p.Namespace, netip.MustParseAddr("10.78.0.1"))
	require.NoError(t, s.rt.Check(t.Context(), p))

	keep := libcni.GCArgs{ValidAttachments: []types.GCAttachment{}}
	before := s.interfaces(s.host)
	require.NoError(t, s.host.Do(func() error { return s.rt.CNI.GCNetworkList(t.Context(), s.rt.List, &keep) }))
	require.Equal(t, []string{"lo"}, s.interfaces(p.Namespace))
	require.Len(t, s.interfaces(s.host), len(before)-2, "both pairs are gone")
	require.Empty(t, s.held())
}

// TestANetworkThatFailsLeavesNothing: each in its turn.
func TestANetworkThatFailsLeavesNothing(t *testing.T) {
	s := newSeveral(t)
	holder := s.add("holder", own(""), storage("10.77.0.33"))
	before := s.interfaces(s.host)
	i := 0
	for name, test := range map[string]struct {
		networks []network
		code     uint
		says     string
	}{
		"an address of another pod": {[]network{own(""), backup(), storage("10.77.0.33")}, 103, `network "storage", interface net1`},
		"the tenant's own, last":    {[]network{storage("10.77.0.40"), backup(), own(holder.Address.String())}, 103, "holder"},
		"a subnet that is not its":  {[]network{own(""), backup(), {"type": "storage", "ifName": "net1", "podIp": "10.77.0.40/16"}}, 7, "wants the address 10.77.0.40/16, the network gave 10.77.0.40/24"},
		"an address of no range":    {[]network{own(""), backup(), {"type": "storage", "ifName": "net1", "podIp": "10.99.0.1/24"}}, 7, `network "storage"`},
		"a network nobody has":      {[]network{own(""), {"type": "none", "ifName": "net1"}}, 7, `network "none" is not in networkSource.networksDir`},
	} {
		t.Run(name, func(t *testing.T) {
			i++
			pod := fmt.Sprintf("failing%d", i)
			p := s.gets(pod, test.networks...)
			var failure *types.Error
			require.ErrorAs(t, s.rt.Add(t.Context(), p), &failure)
			require.Equal(t, test.code, failure.Code, "%v", failure)
			require.Contains(t, failure.Error(), test.says)
			require.Contains(t, failure.Error(), "blue/"+pod)
			require.Equal(t, []string{"lo"}, s.interfaces(p.Namespace))
			require.Equal(t, before, s.interfaces(s.host))
			require.Empty(t, s.held())
			require.NoError(t, s.rt.Del(t.Context(), p), "as runtimes do after a failed ADD")
		})
	}
	unknown, err := s.lab.NewPod("blue", "unknown")
	require.NoError(t, err)
	require.ErrorContains(t, s.rt.Add(t.Context(), unknown), `code 404, message "no such pod"`)
	require.NoError(t, s.rt.Del(t.Context(), holder))
	s.source.Close()
	var passing *types.Error
	require.ErrorAs(t, s.rt.Add(t.Context(), unknown), &passing)
	require.EqualValues(t, 11, passing.Code)
	require.NotContains(t, passing.Error(), sourceToken)
}

// TestAKilledAddOfSeveralNetworksIsUndone: the daemon and the plugin die while the
// third network is made.
func TestAKilledAddOfSeveralNetworksIsUndone(t *testing.T) {
	s := newSeveral(t)
	first := s.add("one", own(""))
	before := s.interfaces(s.host)
	slow := network{"type": "slow", "ifName": "net3"}

	p := s.gets("daemon", own(""), backup(), slow)
	ended := make(chan error, 1)
	go func() { ended <- s.rt.Add(context.WithoutCancel(t.Context()), p) }()
	require.Eventually(t, func() bool { return len(s.held()) == 1 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, s.daemon.Kill())
	require.Error(t, <-ended)
	require.NoError(t, s.daemon.Start(t.Context()))
	s.mu.Lock()
	s.data["daemon"] = []network{own(""), storage("10.77.0.50")}
	s.mu.Unlock()
	require.NoError(t, s.rt.Add(t.Context(), p), "the runtime tries again, and the source has another answer by then")
	require.Equal(t, []string{"eth0", "lo", "net1"}, s.interfaces(p.Namespace))
	require.Empty(t, s.held())
	require.NoError(t, s.rt.Del(t.Context(), p))

	p = s.gets("plugin", own(""), backup(), slow)
	call, give := context.WithCancel(t.Context())
	go func() { ended <- s.rt.Add(call, p) }()
	require.Eventually(t, func() bool { return len(s.held()) == 1 }, 20*time.Second, 10*time.Millisecond)
	give() // the runtime kills moat-cni
	require.Error(t, <-ended)
	require.Eventually(t, func() bool { return len(s.recorded()) == 1 }, 20*time.Second, 20*time.Millisecond,
		"nobody sends a DEL; what is recorded of the pod goes last, and that of the first one stays")
	require.Equal(t, before, s.interfaces(s.host))
	require.NoError(t, s.rt.Del(t.Context(), first))
	s.nothingOf(p, s.interfaces(s.host))
}
