package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/internal/world"
)

// hostile are texts that mean something to whoever takes them for more than a
// name: paths, lines, quotes, rules of nftables, patterns, templates, options.
var hostile = []string{
	"", ".", "..", "../../escape", "/escape", "red/../../escape", "red/x", "-rf", "--help", "a b", " a", "a\tb", "a\nb\nescape", "a\r\nb",
	`a"b`, "a'b", "a`id`", "$(id)", "a;drop", "a}; drop; {", "accept\ndrop", "*", "[a-z]*", "(.*", `\`, `\x00`, "%s%n%d", "{{.}}", "${HOME}",
	"é", "日本", "\u202e", "\xff\xfe", "a=b", "a,b", "moat-", strings.Repeat("a", 64), strings.Repeat("a", 254), strings.Repeat("b", 5000),
}

// positions are where a runtime's call holds names.
var positions = map[string]func(conf map[string]any, env map[string]string, text string){
	"K8S_POD_NAMESPACE": func(_ map[string]any, env map[string]string, text string) {
		env["CNI_ARGS"] = "IgnoreUnknown=1;K8S_POD_NAME=p;K8S_POD_NAMESPACE=" + text
	},
	"K8S_POD_NAME and K8S_POD_UID": func(_ map[string]any, env map[string]string, text string) {
		env["CNI_ARGS"] = "IgnoreUnknown=1;K8S_POD_NAMESPACE=red;K8S_POD_NAME=" + text + ";K8S_POD_UID=" + text
	},
	"CNI_ARGS":        func(_ map[string]any, env map[string]string, text string) { env["CNI_ARGS"] = text },
	"CNI_CONTAINERID": func(_ map[string]any, env map[string]string, text string) { env["CNI_CONTAINERID"] = text },
	"CNI_IFNAME":      func(_ map[string]any, env map[string]string, text string) { env["CNI_IFNAME"] = text },
	"CNI_NETNS":       func(_ map[string]any, env map[string]string, text string) { env["CNI_NETNS"] = text },
	"name":            func(conf map[string]any, _ map[string]string, text string) { conf["name"] = text },
	"tenant": func(conf map[string]any, env map[string]string, text string) {
		conf["tenant"], env["CNI_ARGS"] = text, "IgnoreUnknown=1"
	},
}

// Whatever a call holds in the place of a name, it is refused with one error, or
// makes what is its own and nothing else, and takes that back.
func TestHostileNamesTouchNothingOfOthers(t *testing.T) {
	n, etcd := newNodeOverEtcd(t)
	n.pod("red", "living")
	client := newRecords(t, etcd).client
	place := world.Place{
		Namespaces: map[string]string{"host": n.host.Path}, NetnsDir: n.daemon.NetnsDir(),
		Folders: []string{n.lab.Dir}, Etcd: client, Prefixes: []string{""}, Lasting: lastingLine,
	}
	h := &hostileCaller{node: n, place: place, etcd: client}
	before := h.look()
	for position, put := range positions {
		accepted := 0
		for _, text := range append(hostile, "a\x00b") {
			if h.call(position, put, text, before) {
				accepted++
			}
		}
		h.unchanged(before, position)
		t.Logf("%s: %d of %d texts are taken for what they are", position, accepted, len(hostile)+1)
	}
	h.noEscape()
	h.wholeLines()
}

// lastingLine takes out of a line of the world what changes by itself.
func lastingLine(line string) string {
	if regexp.MustCompile(`^key /moat/(ipam/v1/freed/|ipam/v1/slots/.*"freedAt"|live|sdn/(head|meta/))|^file .*/moat\.log `).MatchString(line) {
		return ""
	}
	return regexp.MustCompile(`"(state|owner|deadline)":"[^"]*",?`).ReplaceAllString(line, "")
}

type hostileCaller struct {
	*node
	place world.Place
	etcd  *clientv3.Client
	pods  int
}

func (h *hostileCaller) look() []string {
	h.t.Helper()
	lines, err := h.place.Look(h.t.Context())
	require.NoError(h.t, err)
	return lines
}

// call makes ADD, and DEL with the same names, and says whether ADD was accepted.
func (h *hostileCaller) call(position string, put func(map[string]any, map[string]string, string), text string, before []string) bool {
	h.t.Helper()
	h.pods++
	p, err := h.lab.NewPod("red", fmt.Sprintf("hostile%d", h.pods))
	require.NoError(h.t, err)
	defer func() { require.NoError(h.t, p.Remove()) }()
	conf := map[string]any{"cniVersion": "1.1.0", "name": "moat", "type": "moat-cni", "socket": h.daemon.Socket()}
	env := maps.Clone(callEnv("ADD", p))
	put(conf, env, text)
	for name, value := range env {
		if strings.Contains(value, "\x00") {
			delete(env, name) // no process can be started with it
		}
	}
	raw, err := json.Marshal(conf)
	require.NoError(h.t, err)
	out, failed := h.plugin(string(raw), env)
	require.True(h.t, json.Valid([]byte(out)), "%s %q: %s", position, text, out)
	require.NotContains(h.t, out, "goroutine ")
	if failed != nil {
		var e cniError
		require.NoError(h.t, json.Unmarshal([]byte(out), &e))
		require.NotZero(h.t, e.Code, "%s %q", position, text)
		require.NotEmpty(h.t, e.Msg, "%s %q", position, text)
	} else {
		for _, line := range world.Differences(before, h.look()) {
			require.True(h.t, strings.HasPrefix(line, "+ "), "ADD with %s %q took away: %s", position, text, line)
		}
	}
	env["CNI_COMMAND"] = "DEL"
	out, err = h.plugin(string(raw), env)
	if failed == nil {
		require.NoError(h.t, err, "DEL with %s %q: %s", position, text, out)
	}
	return failed == nil
}

// unchanged says that the world is as it was, when the tenants that came in
// between, by names that are good ones, are gone.
func (h *hostileCaller) unchanged(before []string, position string) {
	h.t.Helper()
	var tenants []struct{ Name string }
	require.NoError(h.t, json.Unmarshal([]byte(h.cli("tenant", "list", "-o", "json")), &tenants))
	for _, tenant := range tenants {
		if tenant.Name != "red" {
			h.cli("tenant", "delete", tenant.Name)
		}
	}
	var diff []string
	require.Eventually(h.t, func() bool {
		now, err := h.place.Look(h.t.Context())
		if err != nil { // a namespace is on its way out
			return false
		}
		diff = world.Differences(before, now)
		return len(diff) == 0
	}, 2*time.Minute, 50*time.Millisecond, "%s", position)
	require.Empty(h.t, diff, position)
}

// noEscape: a name of a path is no path.
func (h *hostileCaller) noEscape() {
	h.t.Helper()
	folders := []string{"/", "/run", "/run/netns", "/run/moat", "/tmp", "/var/lib", "/etc", "/etc/cni"}
	for dir := h.daemon.DataDir(); dir != "/"; dir = filepath.Dir(dir) {
		folders = append(folders, dir)
	}
	for _, dir := range folders {
		require.NoFileExists(h.t, filepath.Join(dir, "escape"))
		require.NoDirExists(h.t, filepath.Join(dir, "escape"))
	}
}

// wholeLines: nobody writes a line of his own into the log.
func (h *hostileCaller) wholeLines() {
	h.t.Helper()
	log, err := os.ReadFile(h.daemon.LogFile())
	require.NoError(h.t, err)
	for line := range strings.Lines(string(log)) {
		require.True(h.t, strings.HasPrefix(line, "time="), "%q", line)
	}
	require.Contains(h.t, string(log), "escape", "the names were logged")
}
