package layers

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "write docs/effects.md anew")

const effectsDoc = "../../../docs/effects.md"

// changers are the functions that change something outside the process, by the
// name of their package.
var changers = map[string][]string{
	"os": {"Chmod", "Chown", "Create", "CreateTemp", "Lchown", "Link", "Mkdir", "MkdirAll", "MkdirTemp", "OpenFile",
		"Remove", "RemoveAll", "Rename", "Symlink", "Truncate", "WriteFile"},
	"unix": {"Chmod", "Chown", "Link", "Mkdir", "Mknod", "Mount", "Rename", "Rmdir", "Sendmsg", "SendmsgN", "Sendto",
		"Symlink", "Truncate", "Unlink", "Unmount", "Write"},
	"net": {"ListenUnix"},
}

// netlinkSend is the method by which a socket of mdlayher/netlink sends changes;
// Execute is for reading alone.
const netlinkSend = "SendMessages"

// byMethod are methods by which what a library made changes something, by the
// library's path: what its values are called is not known here.
var byMethod = map[string][]string{
	"github.com/google/nftables":     {"Flush"},
	"go.etcd.io/etcd/client/v3":      {"AlarmDisarm", "Compact", "Defragment", "MoveLeader"},
	"github.com/vishvananda/netlink": {"LinkAdd", "LinkDel", "LinkModify", "AddrAdd", "AddrDel", "AddrReplace", "RouteAdd", "RouteDel", "RouteReplace", "RuleAdd", "RuleDel", "NeighSet", "NeighAdd", "NeighDel"},
}

// netlinkChanges are parts of the names by which vishvananda/netlink changes
// something, netlinkReads of those by which it does not.
var netlinkReads = []string{"List", "Get", "By", "Subscribe", "Parse", "New"}

var netlinkChanges = []string{"Add", "Append", "Change", "Del", "Modify", "Replace", "Set"}

// bySide are calls that may stand outside the seam, with the reason.
var bySide = map[string]string{
	"netns/conn.go:send":               "what changes something goes through sendChange",
	"cmd/internal/protocol/client.go":  "the plugin's own connection to the daemon",
	"sdn/embedetcd/keeper.go:compact":  "house-keeping: no record changes",
	"sdn/embedetcd/keeper.go:makeRoom": "the same",
}

// outside are the trees that are no part of the product: what shows, measures and
// tests it.
var outside = []string{"cmd/internal/etcdcluster", "cmd/internal/lab", "cmd/moat-bench", "cmd/moat-demo", "sdn/sdntest", "sdn/embedetcd/etcdproxy", "ipam/ipamtest", "sdn/storedtest", "examples", "cmd/internal/e2e"}

// step is one call of effect.Do.
type step struct{ kind, what, place string }

func product(p goPackage) bool {
	name := strings.TrimPrefix(p.ImportPath, module)
	return !slices.ContainsFunc(outside, func(o string) bool { return strings.HasPrefix(name, o) }) && name != "sdn/effect"
}

// What changes the world outside does so inside a call of effect.Do.
func TestEveryEffectPassesTheSeam(t *testing.T) {
	used := map[string]bool{}
	for _, p := range list(t) {
		if !product(p) {
			continue
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, f := range p.GoFiles {
			file, set := parse(t, filepath.Join(p.Dir, f))
			walk(file, isDo, func(call *ast.CallExpr, inside bool, function string) {
				if inside || !changes(file, call) {
					return
				}
				for _, place := range []string{name + "/" + f, name + "/" + f + ":" + function} {
					if bySide[place] != "" {
						used[place] = true
						return
					}
				}
				t.Errorf("%s changes something outside the process beside the seam: call it inside effect.Do", set.Position(call.Pos()))
			})
		}
	}
	for place := range bySide {
		if !used[place] {
			t.Errorf("%s needs no exception: take it out of the list", place)
		}
	}
}

func parse(t *testing.T, path string) (*ast.File, *token.FileSet) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	return file, set
}

// walk calls visit for each call of a file, and says whether it stands inside a
// function that is handed to a call that into is true of, and in which function of the
// file.
func walk(file *ast.File, into func(*ast.CallExpr) bool, visit func(call *ast.CallExpr, inside bool, function string)) {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		var in func(n ast.Node, inside bool)
		in = func(n ast.Node, inside bool) {
			ast.Inspect(n, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				visit(call, inside, f.Name.Name)
				if !into(call) {
					return true
				}
				for _, a := range call.Args {
					in(a, true)
				}
				return false
			})
		}
		in(f, false)
	}
}

func isDo(call *ast.CallExpr) bool { return is(call, "effect", "Do") }

func is(call *ast.CallExpr, pkg, name string) bool {
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg
}

func changes(file *ast.File, call *ast.CallExpr) bool {
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	if s.Sel.Name == netlinkSend {
		return true
	}
	for library, methods := range byMethod {
		if imports(file, library) && slices.Contains(methods, s.Sel.Name) && !isPackage(file, s.X) {
			return true
		}
	}
	x, ok := s.X.(*ast.Ident)
	if !ok {
		return false
	}
	switch x.Name {
	case "os":
		return slices.Contains(changers["os"], s.Sel.Name) && (s.Sel.Name != "OpenFile" || opensToWrite(call))
	case "unix", "syscall":
		return slices.Contains(changers["unix"], s.Sel.Name)
	case "net":
		return slices.Contains(changers["net"], s.Sel.Name)
	case "netlink":
		return imports(file, "github.com/vishvananda/netlink") &&
			containsOne(s.Sel.Name, netlinkChanges) && !containsOne(s.Sel.Name, netlinkReads)
	}
	return false
}

// isPackage says whether x is the name of a package that the file imports.
func isPackage(file *ast.File, x ast.Expr) bool {
	name, ok := x.(*ast.Ident)
	return ok && slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool {
		p := strings.Trim(i.Path.Value, `"`)
		return i.Name != nil && i.Name.Name == name.Name || i.Name == nil && path.Base(p) == name.Name
	})
}

func containsOne(name string, parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(name, p) })
}

func opensToWrite(call *ast.CallExpr) bool {
	found := false
	ast.Inspect(call.Args[1], func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		found = found || ok && s.Sel.Name != "O_RDONLY" && s.Sel.Name != "O_CLOEXEC"
		return true
	})
	return found
}

func imports(file *ast.File, path string) bool {
	return slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return strings.Trim(i.Path.Value, `"`) == path })
}

// A client of etcd that is not wrapped would pass by the seam.
func TestEveryClientOfEtcdIsWrapped(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if !product(p) || name == "sdn/embedetcd" { // whose client is wrapped by who uses it; it keeps house by itself
			continue
		}
		for _, f := range p.GoFiles {
			file, set := parse(t, filepath.Join(p.Dir, f))
			made, wrapped := 0, 0
			walk(file, isDo, func(call *ast.CallExpr, _ bool, _ string) {
				if is(call, "clientv3", "New") || is(call, "embedetcd", "Start") {
					made++
				}
				if is(call, "etcdeffect", "Wrap") {
					wrapped++
				}
			})
			require.Equal(t, made, wrapped, "clients of etcd in %s and how many are wrapped", set.Position(file.Package))
		}
	}
}

// The list in docs is the list of the code.
func TestEffectsAreListed(t *testing.T) {
	text := effectsText(steps(t)) + undosText(undos(t))
	if *rewrite {
		require.NoError(t, os.WriteFile(effectsDoc, []byte(text), 0o644))
	}
	listed, err := os.ReadFile(effectsDoc)
	require.NoError(t, err)
	require.Equal(t, text, string(listed), "write it anew: go test ./cmd/internal/layers -run Listed -rewrite")
}

func steps(t *testing.T) (all []step) {
	for _, p := range list(t) {
		if !product(p) {
			continue
		}
		for _, f := range p.GoFiles {
			file, set := parse(t, filepath.Join(p.Dir, f))
			walk(file, isDo, func(call *ast.CallExpr, _ bool, function string) {
				if isDo(call) {
					all = append(all, readStep(t, file, set, call, strings.TrimPrefix(p.ImportPath, module)+"/"+f+" "+function))
				}
			})
		}
	}
	slices.SortFunc(all, func(a, b step) int { return strings.Compare(a.kind+a.what+a.place, b.kind+b.what+b.place) })
	return all
}

func readStep(t *testing.T, file *ast.File, set *token.FileSet, call *ast.CallExpr, place string) step {
	kind, ok := call.Args[0].(*ast.SelectorExpr)
	require.True(t, ok, "%s: the kind is a constant of package effect", set.Position(call.Pos()))
	s := step{kind: strings.ToLower(kind.Sel.Name), place: place}
	ast.Inspect(file, func(n ast.Node) bool { // a literal, or a constant of the file
		spec, ok := n.(*ast.ValueSpec)
		name, named := call.Args[1].(*ast.Ident)
		if ok && named && spec.Names[0].Name == name.Name && len(spec.Values) == 1 {
			s.what = literal(spec.Values[0])
		}
		return true
	})
	if s.what == "" {
		s.what = literal(call.Args[1])
	}
	require.NotEmpty(t, s.what, "%s: what the step does is a constant", set.Position(call.Pos()))
	return s
}

func literal(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	text, _ := strconv.Unquote(l.Value)
	return text
}

func effectsText(all []step) string {
	var b strings.Builder
	b.WriteString(`# Effects

Every step that changes something outside the process. Each passes through package
sdn/effect, where tests count it, have it fail, or kill the process before and after
it; a test finds what passes by. This list is written by a test, from the code.

| kind | step | where |
|---|---|---|
`)
	for _, s := range all {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.kind, s.what, s.place)
	}
	return b.String()
}

func TestTheSeamIsSeen(t *testing.T) {
	for source, beside := range map[string]int{
		`os.WriteFile("a", nil, 0)`:                    1,
		`os.OpenFile("a", os.O_RDONLY|os.O_CREATE, 0)`: 1,
		`os.OpenFile("a", os.O_RDONLY, 0)`:             0,
		`unix.Mount("", "", "", 0, "")`:                1,
		`netlink.LinkAdd(nil)`:                         1,
		`netlink.LinkByName("")`:                       0,
		`netlink.AddrList(nil, 0)`:                     0,
		`handle.LinkDel(nil)`:                          1,
		`conn.Flush()`:                                 1,
		`slices.Compact(nil)`:                          0,
		`client.Compact(nil, 1)`:                       1,
		`effect.Do(effect.Nftables, "x", func() error { return conn.Flush() })`: 0,
		`c.SendMessages(nil)`: 1,
		`effect.Do(effect.File, "x", func() error { return os.Remove("a") })`:      0,
		`func() { _ = effect.Do(effect.File, "x", nil); _ = os.Remove("a") }()`:    1,
		`effect.Do(effect.File, "x", func() error { return nil }); os.Remove("a")`: 1,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", `package a
import ("github.com/vishvananda/netlink"; "github.com/google/nftables"; clientv3 "go.etcd.io/etcd/client/v3"; "slices")
func f() { `+source+` }`, 0)
		require.NoError(t, err)
		found := 0
		walk(file, isDo, func(call *ast.CallExpr, inside bool, _ string) {
			if !inside && changes(file, call) {
				found++
			}
		})
		require.Equal(t, beside, found, source)
	}
}
