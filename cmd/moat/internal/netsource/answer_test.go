package netsource

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// with is an answer of one master with further keys.
func with(keys string) string {
	return `{"code":0,"data":[{"type":"a","master":true,` + keys + `}]}`
}

func TestWrongAnswersNameTheirKey(t *testing.T) {
	for name, test := range map[string]struct{ body, want string }{
		"no JSON":                     {`<html>`, "the answer cannot be read"},
		"two documents":               {`{"code":0}{}`, "the answer cannot be read"},
		"another type":                {`{"code":"0"}`, "code"},
		"no code":                     {`{"data":[]}`, "no key code"},
		"a code of failure":           {`{"code":17,"message":"no such pod","reqId":"r-1"}`, `code 17, message "no such pod", request "r-1"`},
		"another namespace":           {`{"code":0,"namespace":"red","data":[]}`, `namespace "red" is not the pod's, which is "blue"`},
		"another namespace inside":    {with(`"namespace":"red"`), `data[0].namespace "red"`},
		"no master":                   {`{"code":0,"data":[{"type":"a","ifName":"x"}]}`, "none of the 1 networks in data is master"},
		"two masters":                 {`{"code":0,"data":[{"type":"a","master":true},{"type":"b","master":true}]}`, "data[0] (a) and data[1] (b) are both master"},
		"too many":                    {`{"code":0,"data":[` + strings.Repeat(`{},`, 32) + `{}]}`, "33 networks"},
		"no type":                     {`{"code":0,"data":[{"master":true}]}`, `data[0].type ""`},
		"a path as type":              {`{"code":0,"data":[{"master":true,"type":"../x"}]}`, `data[0].type "../x"`},
		"no interface":                {`{"code":0,"data":[{"type":"a"}]}`, `data[0].ifName ""`},
		"loopback as interface":       {with(`"ifName":"lo"`), `data[0].ifName "lo"`},
		"interface too long":          {with(`"ifName":"abcdefghijklmnop"`), "1 to 15 characters"},
		"interface with a path":       {with(`"ifName":"a/b"`), "data[0].ifName"},
		"a control character":         {with(`"ifName":"a\u0000b"`), `data[0].ifName "a\x00b"`},
		"the folder above":            {with(`"ifName":".."`), `data[0].ifName ".."`},
		"null as network":             {`{"code":0,"data":[null]}`, `data[0].type ""`},
		"a network that is text":      {`{"code":0,"data":["a"]}`, "data"},
		"an object as data":           {`{"code":0,"data":{}}`, "data"},
		"master as text":              {with(`"ifName":"x","master":"true"`), "master"},
		"an address as number":        {with(`"podIp":10`), "podIp"},
		"a pattern as interface":      {with(`"ifName":"eth%d"`), "data[0].ifName"},
		"no address":                  {with(`"podIp":"10.0.0","subnetMask":"255.0.0.0"`), `data[0].podIp "10.0.0"`},
		"a v4-mapped address":         {with(`"podIp":"::ffff:10.0.0.1/120"`), "data[0].podIp"},
		"a zone":                      {with(`"podIp":"fe80::1%eth0/64"`), "data[0].podIp"},
		"multicast":                   {with(`"podIp":"224.0.0.1","subnetMask":"255.0.0.0"`), "data[0].podIp"},
		"loopback":                    {with(`"podIp":"127.0.0.1","subnetMask":"255.0.0.0"`), "data[0].podIp"},
		"a bad length":                {with(`"podIp":"10.0.0.1/33"`), "data[0].podIp"},
		"no mask":                     {with(`"podIp":"10.0.0.1"`), `data[0].subnetMask ""`},
		"a mask with a hole":          {with(`"podIp":"10.0.0.1","subnetMask":"255.0.255.0"`), `data[0].subnetMask "255.0.255.0"`},
		"a mask of nothing":           {with(`"podIp":"10.0.0.1","subnetMask":"0.0.0.0"`), "data[0].subnetMask"},
		"a hexadecimal hole":          {with(`"podIp":"10.0.0.1","subnetMask":"ff00ff00"`), "data[0].subnetMask"},
		"seven digits":                {with(`"podIp":"10.0.0.1","subnetMask":"fffffff"`), "data[0].subnetMask"},
		"no digits":                   {with(`"podIp":"10.0.0.1","subnetMask":"fffffffg"`), "data[0].subnetMask"},
		"an IPv6 address and a mask":  {with(`"podIp":"fd00::1","subnetMask":"255.0.0.0"`), "data[0].subnetMask"},
		"two lengths":                 {with(`"podIp":"10.0.0.1/24","subnetMask":"255.0.0.0"`), "data[0].subnetMask"},
		"the subnet itself":           {with(`"podIp":"10.0.0.0/24"`), `data[0].podIp "10.0.0.0/24"`},
		"the broadcast address":       {with(`"podIp":"10.0.3.255/22"`), "data[0].podIp"},
		"a gateway without address":   {with(`"gateway":"10.0.0.1"`), "data[0].podIp is missing"},
		"a gateway elsewhere":         {with(`"podIp":"10.0.0.2/24","gateway":"10.0.1.1"`), `data[0].gateway "10.0.1.1" is not another address of the subnet 10.0.0.0/24`},
		"the pod as gateway":          {with(`"podIp":"10.0.0.2/24","gateway":"10.0.0.2"`), "data[0].gateway"},
		"a gateway of another family": {with(`"podIp":"10.0.0.2/24","gateway":"fd00::1"`), "data[0].gateway"},
		"no MAC":                      {with(`"mac":"x"`), `data[0].mac "x"`},
		"a multicast MAC":             {with(`"mac":"01:00:5e:00:00:01"`), "data[0].mac"},
		"a MAC of zeros":              {with(`"mac":"00:00:00:00:00:00"`), "data[0].mac"},
		"a route with host bits":      {with(`"routes":["10.0.0.0/8","10.0.0.1/8"]`), `data[0].routes[1] "10.0.0.1/8"`},
		"a route of another family":   {with(`"podIp":"10.0.0.2/24","routes":["fd00::/8"]`), "data[0].routes[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]byte(test.body), "blue")
			require.ErrorContains(t, err, test.want)
			var own *Error
			require.ErrorAs(t, err, &own)
			require.False(t, own.Passing)
			require.NotEmpty(t, own.Details)
		})
	}
}

func TestAnswersOfDockin(t *testing.T) {
	got, err := parse([]byte(`{"code":0,"reqId":"1","message":"success","data":[
		{"type":"dev","podIp":"192.168.3.5","subnetMask":"ffffff00","gateway":"192.168.3.1","ifName":"eth0","master":true,"cluster":"c"},
		{"type":"storage","podIp":"10.1.2.3","subnetMask":"255.255.252.0","gateway":"","ifName":"eth1","master":false}]}`), "blue")
	require.NoError(t, err)
	require.Equal(t, []Entry{
		{Network: "dev", IfName: "eth0", Master: true, Address: netip.MustParsePrefix("192.168.3.5/24"), Gateway: netip.MustParseAddr("192.168.3.1")},
		{Network: "storage", IfName: "eth1", Address: netip.MustParsePrefix("10.1.2.3/22")},
	}, got)
}

func TestAnswersOfMoat(t *testing.T) {
	got, err := parse([]byte(`{"code":0,"namespace":"blue","data":[{"type":"a","master":true,"podIp":"fd00::5/64","gateway":"fd00::1",
		"mac":"02-00-00-00-00-05","routes":["fd01::/16"],"namespace":"blue"}]}`), "blue")
	require.NoError(t, err)
	require.Equal(t, []Entry{{Network: "a", Master: true, Address: netip.MustParsePrefix("fd00::5/64"), Gateway: netip.MustParseAddr("fd00::1"),
		MAC: "02:00:00:00:00:05", Routes: []netip.Prefix{netip.MustParsePrefix("fd01::/16")}}}, got)
	for _, body := range []string{`{"code":0}`, `{"code":0,"data":null}`, `{"code":0,"data":[]}`} {
		got, err := parse([]byte(body), "blue")
		require.NoError(t, err, body)
		require.Nil(t, got, body)
	}
}

// What is taken can be made: one master, valid names, addresses of hosts.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(with(`"podIp":"10.0.0.2","subnetMask":"ffffff00","gateway":"10.0.0.1","mac":"02:00:00:00:00:01","routes":["10.0.0.0/8"]`)))
	f.Add([]byte(with(`"podIp":"fd00::2/127","ifName":"x"`)))
	f.Add([]byte(`{"code":0,"data":[{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		entries, err := parse(body, "blue")
		if err != nil {
			return
		}
		masters := 0
		for _, e := range entries {
			if e.Master {
				masters++
			}
			require.True(t, e.IfName == "" && e.Master || isIfName(e.IfName), fmt.Sprint(e))
			require.True(t, !e.Gateway.IsValid() || e.Address.Contains(e.Gateway), fmt.Sprint(e))
			require.True(t, !e.Address.IsValid() || e.Address.Addr().IsGlobalUnicast(), fmt.Sprint(e))
		}
		require.True(t, masters == 1 || len(entries) == 0)
	})
}
