package layers

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/moatnet/moat/"

// allowed lists, for each package or tree ("name/..."), which of ours it may
// import directly outside its tests. cmd wires everything and is not listed.
var allowed = map[string][]string{
	"sdn":                     {},
	"sdn/wire":                {"sdn"},
	"sdn/client":              {"sdn", "sdn/wire", "sdn/effect"},
	"sdn/access":              {"sdn"},
	"sdn/auth":                {"sdn", "sdn/access", "sdn/effect"},
	"sdn/server":              {"sdn", "sdn/wire", "sdn/access"},
	"sdn/sdntest/...":         {"sdn", "sdn/wire", "sdn/client", "sdn/access", "sdn/auth", "sdn/server", "sdn/topology"},
	"sdn/topology/...":        {"sdn", "sdn/topology/..."},
	"sdn/effect":              {},
	"sdn/effect/etcdeffect":   {"sdn/effect"},
	"sdn/embedetcd":           {"sdn/effect"},
	"sdn/embedetcd/etcdproxy": {},
	"sdn/nft":                 {},
	"sdn/nftnl":               {"sdn/nft", "sdn/effect"},
	"sdn/filter":              {"sdn", "sdn/nft"},
	"sdn/plan":                {"sdn", "sdn/nft", "sdn/filter"},
	"sdn/dhcp":                {"sdn"},
	"sdn/dataplane/...":       {"sdn", "sdn/plan", "sdn/dhcp", "sdn/nft", "sdn/nftnl", "sdn/dataplane/...", "sdn/effect"},
	"ipam/...":                {"ipam/..."},
	"sdn/storedtest":          {},
	"netns":                   {"sdn/effect"},
	"tenant":                  {"sdn", "ipam", "sdn/effect", "ipam/queue"},
}

// banned lists what must be in no package's dependencies, however far away.
var banned = map[string][]string{
	"sdn/plan":   {"github.com/vishvananda/netlink", "github.com/google/nftables", "go.etcd.io/etcd/", "net/http"},
	"sdn/filter": {"github.com/vishvananda/netlink", "github.com/google/nftables", "go.etcd.io/etcd/", "net/http"},
	"sdn/server": {"github.com/vishvananda/netlink", "github.com/google/nftables", "go.etcd.io/etcd/"},
	"tenant":     {"github.com/vishvananda/netlink", "github.com/google/nftables", "go.etcd.io/etcd/", "net/http"},
	"netns":      {"github.com/google/nftables", "go.etcd.io/etcd/", "net/http"},
}

// starters may start programs: what shows Moat from outside, and the package that
// runs CNI plugins of others. The product speaks to the kernel itself and starts
// nothing else (no ip, nft or iptables); tests may.
var starters = []string{"cmd/internal/delegate", "cmd/internal/etcdcluster", "cmd/internal/lab", "cmd/moat-bench", "cmd/moat-demo"}

// replacer alone may replace its process by another program.
const replacer = "cmd/internal/shim"

type goPackage struct {
	ImportPath, Dir string
	GoFiles         []string // without tests
	Imports, Deps   []string
}

func list(t *testing.T) []goPackage {
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,Deps", module+"...").Output()
	require.NoError(t, err)
	var all []goPackage
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for dec.More() {
		var p goPackage
		require.NoError(t, dec.Decode(&p))
		all = append(all, p)
	}
	require.Greater(t, len(all), len(allowed), "go list found the module's packages")
	return all
}

func matches(pattern, name string) bool {
	tree, isTree := strings.CutSuffix(pattern, "/...")
	return name == pattern || isTree && (name == tree || strings.HasPrefix(name, tree+"/"))
}

func rule(name string) ([]string, bool) {
	for pattern, may := range allowed {
		if matches(pattern, name) {
			return may, true
		}
	}
	return nil, false
}

func TestPackagesImportOnlyWhatTheirLayerMay(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(name, "cmd/") || strings.HasPrefix(name, "examples") {
			continue
		}
		may, known := rule(name)
		if !known {
			t.Errorf("%s stands in no layer: add it to the table here and to docs/architecture.md", name)
		}
		for _, imported := range p.Imports {
			ours, is := strings.CutPrefix(imported, module)
			if is && !slices.ContainsFunc(may, func(m string) bool { return matches(m, ours) }) {
				t.Errorf("%s imports %s, which its layer may not", name, ours)
			}
		}
	}
}

func TestNoPackageReachesWhatItsLayerBans(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, ban := range banned[name] {
			for _, dep := range p.Deps {
				if strings.HasPrefix(dep, ban) {
					t.Errorf("%s depends on %s", name, dep)
				}
			}
		}
	}
}

func TestNothingOfTheProductStartsPrograms(t *testing.T) {
	var replaces []string
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if slices.Contains(p.Imports, "os/exec") && !slices.Contains(starters, name) {
			t.Errorf("%s imports os/exec, and may start no program", name)
		}
		for _, file := range p.GoFiles {
			for _, call := range startsIn(t, filepath.Join(p.Dir, file)) {
				if name == replacer && call == "syscall.Exec" {
					replaces = append(replaces, file)
					continue
				}
				t.Errorf("%s/%s uses %s, and may start no program", name, file, call)
			}
		}
	}
	require.Equal(t, []string{"standalone.go"}, replaces, "the test sees a use of syscall.Exec where there is one")
}

// startsIn lists the functions of os, syscall and unix by which a file starts
// programs without os/exec.
func startsIn(t *testing.T, path string) []string {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := sel.X.(*ast.Ident)
		if ok && slices.Contains([]string{"os", "syscall", "unix"}, pkg.Name) &&
			slices.Contains([]string{"Exec", "ForkExec", "StartProcess"}, sel.Sel.Name) {
			found = append(found, pkg.Name+"."+sel.Sel.Name)
		}
		return true
	})
	return found
}
