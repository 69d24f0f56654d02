package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"
)

// TestASourceThatAnswersAnything: whatever it answers, the pod is refused with the
// key that is wrong, and nothing is left of it.
func TestASourceThatAnswersAnything(t *testing.T) {
	s := newSeveral(t)
	before := s.interfaces(s.host)
	says := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	data := func(entries ...string) http.HandlerFunc {
		return says(`{"code":0,"data":[` + strings.Join(entries, ",") + `]}`)
	}
	const master = `{"type":"moat","master":true}`
	more := make([]string, 40)
	for i := range more {
		more[i] = fmt.Sprintf(`{"type":"backup","ifName":"n%d"}`, i)
	}
	i := 0
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		code   uint
		says   string
	}{
		"HTML":                    {says("<html><body>502</body></html>"), 7, "the answer cannot be read"},
		"nothing":                 {says(""), 7, "the answer cannot be read"},
		"a list":                  {says("[]"), 7, "the answer cannot be read"},
		"null":                    {says("null"), 7, "no key code"},
		"two documents":           {says(`{"code":0}{"code":0}`), 7, "the answer cannot be read"},
		"too much":                {says(`{"code":0,"message":"` + strings.Repeat("x", 2<<20)), 7, "longer than 1048576 bytes"},
		"another host":            {http.RedirectHandler("http://192.0.2.1/pods", http.StatusFound).ServeHTTP, 7, "it redirects to http://192.0.2.1/pods"},
		"itself":                  {http.RedirectHandler("/pods", http.StatusFound).ServeHTTP, 7, "after 3 redirects"},
		"too many questions":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, 11, "429"},
		"a broken gateway":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, 11, "502"},
		"half an answer":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 11, "network source https://"},
		"code as text":            {says(`{"code":"0","data":[]}`), 7, "code"},
		"data as object":          {says(`{"code":0,"data":{}}`), 7, "data"},
		"master as text":          {data(`{"type":"moat","master":"true"}`), 7, "data.master"},
		"no network":              {data(), 7, "data is empty"},
		"no master":               {data(`{"type":"backup","ifName":"net1"}`), 7, "none of the 1 networks in data is master"},
		"two masters":             {data(master, `{"type":"backup","master":true}`), 7, "data[0] (moat) and data[1] (backup) are both master"},
		"forty networks":          {data(append([]string{master}, more...)...), 7, "data has 41 networks, at most 32"},
		"an interface twice":      {data(master, more[0], more[0]), 7, `data[2].ifName "n0" is that of data[1]`},
		"the master's interface":  {data(master, `{"type":"backup","ifName":"eth0"}`), 7, `data[1].ifName "eth0" is that of data[0]`},
		"a path as interface":     {data(master, `{"type":"backup","ifName":"../x"}`), 7, `data[1].ifName "../x"`},
		"two dots as interface":   {data(master, `{"type":"backup","ifName":".."}`), 7, `data[1].ifName ".."`},
		"NUL in an interface":     {data(master, `{"type":"backup","ifName":"a\u0000b"}`), 7, `data[1].ifName "a\x00b"`},
		"a path as network":       {data(master, `{"type":"../../etc/passwd","ifName":"net1"}`), 7, `data[1].type "../../etc/passwd"`},
		"a file's name":           {data(master, `{"type":"backup.conf","ifName":"net1"}`), 7, `network "backup.conf" is not in networkSource.networksDir`},
		"an address in no subnet": {data(`{"type":"moat","master":true,"podIp":"192.0.2.77","subnetMask":"ffffff00"}`), 7, "192.0.2.77"},
		"the subnet's address":    {data(`{"type":"moat","master":true,"podIp":"192.0.2.0","subnetMask":"ffffff00"}`), 7, `data[0].podIp "192.0.2.0/24"`},
		"IPv4 in IPv6":            {data(`{"type":"moat","master":true,"podIp":"::ffff:10.0.0.5/120"}`), 7, `data[0].podIp "::ffff:10.0.0.5/120"`},
		"a huge message":          {says(`{"code":3,"message":"` + strings.Repeat("x", 1<<19) + `"}`), 7, "code 3"},
	} {
		t.Run(name, func(t *testing.T) {
			i++
			pod := fmt.Sprintf("pod%d", i)
			p := s.gets(pod)
			s.mu.Lock()
			s.raw = test.answer
			s.mu.Unlock()
			var failure *types.Error
			require.ErrorAs(t, s.rt.Add(t.Context(), p), &failure)
			require.Equal(t, test.code, failure.Code, "%v", failure)
			require.Contains(t, failure.Error(), test.says)
			require.Contains(t, failure.Error(), "blue/"+pod)
			require.Less(t, len(failure.Error()), 2000)
			require.NotContains(t, failure.Error(), sourceToken)
			require.Equal(t, []string{"lo"}, s.interfaces(p.Namespace))
			require.Equal(t, before, s.interfaces(s.host))
			require.NoError(t, s.rt.Del(t.Context(), p), "as runtimes do after a failed ADD")
			s.nothingOf(p, before)
			require.NoError(t, p.Remove())
		})
	}
}
