package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/nft"
	"github.com/moatnet/moat/sdn/nftnl"
)

// docs/engine.md prints the tables of a tenant red and of the host. They are what
// the kernel holds, with names in the place of IDs.
func TestEngineDocumentShowsWhatMoatMakes(t *testing.T) {
	n := newNode(t)
	n.pod("red", "one")
	doc, err := os.ReadFile("../../../docs/engine.md")
	require.NoError(t, err)

	require.Equal(t, chainsOf(section(t, string(doc), "## The tenant's router")), chainsOf(readable(t, n.tableWith("in2-"))))
	host := tablesIn(t, n.host.Path)
	require.Len(t, host, 1)
	found := regexp.MustCompile(`oifname != "(\w+)" masquerade`).FindStringSubmatch(host[0])
	require.NotNil(t, found, host[0])
	require.Equal(t, chainsOf(section(t, string(doc), "## The host")), chainsOf(strings.ReplaceAll(host[0], found[1], "uplink")))
}

// tableWith is the one router's table that has a chain whose name begins so.
func (n *node) tableWith(chain string) string {
	paths, err := filepath.Glob(n.daemon.NetnsDir() + "/*")
	require.NoError(n.t, err)
	var found []string
	for _, path := range paths {
		for _, table := range tablesIn(n.t, path) {
			if strings.Contains(table, "chain "+chain) {
				found = append(found, table)
			}
		}
	}
	require.Len(n.t, found, 1)
	return found[0]
}

// tablesIn prints Moat's IPv4 tables in the namespace at path.
func tablesIn(t *testing.T, path string) []string {
	ns, err := os.Open(path)
	require.NoError(t, err)
	defer ns.Close()
	c, err := nftnl.Dial(int(ns.Fd()))
	require.NoError(t, err)
	defer c.Close()
	all, err := c.Tables(t.Context(), "moat")
	require.NoError(t, err)
	var printed []string
	for _, table := range all {
		if table.Family == nft.IP {
			printed = append(printed, table.String())
		}
	}
	return printed
}

// readable puts the document's names in the place of what differs from one
// installation to the next: interfaces, chain IDs and the two marks.
func readable(t *testing.T, table string) string {
	one := func(pattern string) string {
		found := regexp.MustCompile(pattern).FindStringSubmatch(table)
		require.NotNil(t, found, "%s in %s", pattern, table)
		return found[1]
	}
	return strings.NewReplacer(
		one(`iifname "(\w+)" ct direction reply ct status snat`), "uplink",
		one(`iifname "(\w+)" ip saddr != `), "pods",
		one(`chain in-([0-9a-f]+) `), "red",
		one(`chain out-([0-9a-f]+) `), "red",
		one(`ct status snat meta mark set .* 0x([0-9a-f]{8}) accept`), "39aed6bf",
		one(`oifname "\w+" meta mark set .* 0x([0-9a-f]{8}) accept`), "3929db34",
	).Replace(table)
}

// section is the text between a heading and the next of its level.
func section(t *testing.T, doc, heading string) string {
	_, after, found := strings.Cut(doc, "\n"+heading+"\n")
	require.True(t, found, heading)
	text, _, _ := strings.Cut(after, "\n## ")
	return text
}

// chainsOf reads the lines of each chain, without comments.
func chainsOf(text string) map[string][]string {
	chains, chain := map[string][]string{}, ""
	comment := regexp.MustCompile(` *(comment ".*"|# .*)$`)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(comment.ReplaceAllString(strings.TrimRight(line, "\n"), ""))
		name, begins := strings.CutPrefix(line, "chain ")
		switch {
		case begins:
			chain = strings.TrimSuffix(name, " {")
		case line == "}" || line == "":
			chain = ""
		case chain != "":
			chains[chain] = append(chains[chain], line)
		}
	}
	return chains
}
