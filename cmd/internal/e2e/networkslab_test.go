package e2e

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

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
	s.start("--config", filepath.Join(s.lab.Dir, "moat.yaml"), "--log-level", "debug")
	return s
}

func (s *several) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
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
