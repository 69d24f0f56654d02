package netsource

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"net/netip"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func keyPEM(t *testing.T, c tls.Certificate) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// folder is one of networks.
func folder(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

var networks = map[string]string{
	"10-storage.conflist": `{"cniVersion":"1.0.0","name":"storage","disableCheck":true,"plugins":[
		{"type":"macvlan","master":"eth1","ipam":{"type":"dockin-ipam","dns":{"nameservers":["10.1.0.53"]}}},{"type":"tuning"}]}`,
	"old.conf":    `{"cniVersion":"0.3.1","name":"old","type":"bridge","routes":[{"dst":"10.0.0.0/8"}]}`,
	"leased.json": `{"cniVersion":"1.1.0","name":"leased","type":"macvlan","args":{"x":1,"cni":{"labels":[]}},"ipam":{"type":"moat-ipam"}}`,
	"notes.txt":   `{"name":"notes","type":"bridge"}`,
}

func entry(network, ifName string, change func(*Entry)) Entry {
	e := Entry{Network: network, IfName: ifName}
	if change != nil {
		change(&e)
	}
	return e
}

func master(e *Entry) { e.Master = true }

func TestPlansThatCannotBe(t *testing.T) {
	at := func(address, gateway string) func(*Entry) {
		return func(e *Entry) {
			e.Address = netip.MustParsePrefix(address)
			if gateway != "" {
				e.Gateway = netip.MustParseAddr(gateway)
			}
		}
	}
	routed := func(e *Entry) { e.Routes = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }
	own := entry("tenants", "", master)
	for name, test := range map[string]struct {
		entries []Entry
		more    map[string]string
		want    string
	}{
		"the runtime's interface twice": {[]Entry{own, entry("storage", "eth0", nil)}, nil, `data[1].ifName "eth0" is that of data[0]`},
		"an interface twice":            {[]Entry{own, entry("storage", "a", nil), entry("old", "a", nil)}, nil, `data[2].ifName "a" is that of data[1]`},
		"own network beside another":    {[]Entry{entry("storage", "", master), entry("moat", "a", nil)}, nil, `data[1].type "moat", the tenant's own network, is not master`},
		"own network with IPv6":         {[]Entry{entry("moat", "", func(e *Entry) { master(e); at("fd00::5/64", "")(e) })}, nil, "data[0].podIp"},
		"routes without gateway":        {[]Entry{own, entry("storage", "a", routed)}, nil, "data[1].routes are given without data[1].gateway"},
		"a network nobody knows":        {[]Entry{own, entry("notes", "a", nil)}, nil, `network "notes" is not in networkSource.networksDir`},
		"unreadable files are named":    {[]Entry{own, entry("x", "a", nil)}, map[string]string{"x.conf": "{"}, "unreadable: x.conf: unexpected end"},
		"a name that is none":           {[]Entry{own, entry("x", "a", nil)}, map[string]string{"x.conf": `{"name":"a b"}`}, `"name" is "a b"`},
		"two files of a name":           {[]Entry{own, entry("old", "a", nil)}, map[string]string{"zz.json": networks["old.conf"]}, `is the name in old.conf and in zz.json`},
		"no plugins":                    {[]Entry{own, entry("x", "a", nil)}, map[string]string{"x.conflist": `{"name":"x","plugins":[]}`}, "plugins is empty"},
		"another CNI":                   {[]Entry{own, entry("x", "a", nil)}, map[string]string{"x.conf": `{"name":"x","cniVersion":"2.0","type":"b"}`}, `cniVersion is "2.0", one of`},
		"no type":                       {[]Entry{own, entry("x", "a", nil)}, map[string]string{"x.conf": `{"name":"x"}`}, "plugins[0].type is missing"},
		"null as plugin":                {[]Entry{own, entry("x", "a", nil)}, map[string]string{"x.conf": `{"name":"x","plugins":[null]}`}, "plugins[0].type is missing"},
		"a path as type":                {[]Entry{own, entry("x", "a", nil)}, map[string]string{"x.conf": `{"name":"x","type":"/bin/sh"}`}, `plugins[0].type is "/bin/sh"`},
		"Moat's own plugin":             {[]Entry{own, entry("x", "a", nil)}, map[string]string{"x.conf": `{"name":"x","type":"moat-cni"}`}, "plugins[0].type is moat-cni"},
		"ipam is no object":             {[]Entry{own, entry("x", "a", at("10.0.0.2/24", ""))}, map[string]string{"x.conf": `{"name":"x","type":"b","ipam":7}`}, "ipam"},
		"args is no object": {[]Entry{own, entry("x", "a", at("10.0.0.2/24", ""))},
			map[string]string{"x.conf": `{"name":"x","type":"b","args":7,"ipam":{"type":"moat-ipam"}}`}, "args"},
		"routes of a pool": {[]Entry{own, entry("leased", "a", func(e *Entry) { at("10.0.0.2/24", "10.0.0.1")(e); routed(e) })}, nil, "data[1].routes"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			for _, m := range []map[string]string{networks, test.more} {
				for k, v := range m {
					files[k] = v
				}
			}
			_, err := Plan(test.entries, "eth0", "tenants", folder(files))
			require.ErrorContains(t, err, test.want)
			var own *Error
			require.ErrorAs(t, err, &own)
			require.False(t, own.Passing)
		})
	}
	_, err := Plan([]Entry{own, entry("x", "a", nil)}, "eth0", "tenants", folderGone{})
	require.ErrorContains(t, err, "networkSource.networksDir")
}

type folderGone struct{}

func (folderGone) Open(string) (fs.File, error) { return nil, fs.ErrNotExist }

func TestPlansPutAddressesIntoChains(t *testing.T) {
	address, gateway := netip.MustParsePrefix("10.1.2.3/22"), netip.MustParseAddr("10.1.0.1")
	placed := func(e *Entry) { e.Address, e.Gateway = address, gateway }
	for name, test := range map[string]struct {
		entry Entry
		want  string
	}{
		"own network":    {entry("tenants", "", master), ""},
		"by its alias":   {entry("moat", "", master), ""},
		"without wishes": {entry("leased", "a", nil), `{"cniVersion":"1.1.0","name":"leased","plugins":[` + networks["leased.json"] + `]}`},
		"static instead of what there was, and its DNS": {entry("storage", "a", placed),
			`{"cniVersion":"1.0.0","name":"storage","disableCheck":true,"plugins":[{"type":"macvlan","master":"eth1","ipam":{"type":"static",
			"addresses":[{"address":"10.1.2.3/22","gateway":"10.1.0.1"}],"dns":{"nameservers":["10.1.0.53"]}}},{"type":"tuning"}]}`},
		"the master gets a default route": {entry("storage", "", func(e *Entry) { placed(e); master(e) }),
			`{"cniVersion":"1.0.0","name":"storage","disableCheck":true,"plugins":[{"type":"macvlan","master":"eth1","ipam":{"type":"static",
			"addresses":[{"address":"10.1.2.3/22","gateway":"10.1.0.1"}],"routes":[{"dst":"0.0.0.0/0","gw":"10.1.0.1"}],"dns":{"nameservers":["10.1.0.53"]}}},{"type":"tuning"}]}`},
		"routes of the file": {entry("old", "", func(e *Entry) { placed(e); master(e) }),
			`{"cniVersion":"0.3.1","name":"old","plugins":[{"cniVersion":"0.3.1","name":"old","type":"bridge","routes":[{"dst":"10.0.0.0/8"}],"ipam":{"type":"static",
			"addresses":[{"address":"10.1.2.3/22","gateway":"10.1.0.1"}],"routes":[{"dst":"10.0.0.0/8"}]}}]}`},
		"routes of the answer": {entry("old", "a", func(e *Entry) { placed(e); e.Routes = []netip.Prefix{netip.MustParsePrefix("172.16.0.0/12")} }),
			`{"cniVersion":"0.3.1","name":"old","plugins":[{"cniVersion":"0.3.1","name":"old","type":"bridge","routes":[{"dst":"10.0.0.0/8"}],"ipam":{"type":"static",
			"addresses":[{"address":"10.1.2.3/22","gateway":"10.1.0.1"}],"routes":[{"dst":"172.16.0.0/12","gw":"10.1.0.1"}]}}]}`},
		"Moat's IPAM plugin is asked": {entry("leased", "a", placed),
			`{"cniVersion":"1.1.0","name":"leased","plugins":[{"cniVersion":"1.1.0","name":"leased","type":"macvlan",
			"args":{"x":1,"cni":{"labels":[],"ips":["10.1.2.3/22"]}},"ipam":{"type":"moat-ipam"}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			steps, err := Plan([]Entry{test.entry}, "eth0", "tenants", folder(networks))
			require.NoError(t, err)
			require.Len(t, steps, 1)
			if test.entry.Master {
				require.Equal(t, "eth0", steps[0].IfName)
			}
			if test.want == "" {
				require.Nil(t, steps[0].List)
				return
			}
			require.JSONEq(t, test.want, string(steps[0].List))
		})
	}
}

func TestAStepOfWhichAPartBegan(t *testing.T) {
	steps, err := Plan([]Entry{entry("storage", "a", nil)}, "eth0", "tenants", folder(networks))
	require.NoError(t, err)
	_, any, err := steps[0].Begun(0)
	require.NoError(t, err)
	require.False(t, any)
	for n, plugins := range map[int]int{1: 1, 2: 2, 3: 2} {
		s, any, err := steps[0].Begun(n)
		require.NoError(t, err)
		require.True(t, any)
		var list struct {
			Name    string
			Plugins []object
		}
		require.NoError(t, json.Unmarshal(s.List, &list))
		require.Equal(t, "storage", list.Name)
		require.Len(t, list.Plugins, plugins)
	}
}
