package layers

import (
	"fmt"
	"go/ast"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// takers are the functions that take something back, by the packages in which each
// of their calls is an undo.
var takers = map[string][]string{
	"tenant": {"Abandon", "DeleteBridge", "DeleteChain", "DeletePort", "DeleteRoute", "DeleteRouter", "DeleteRule", "DropTenant", "Release", "Remove",
		"Detach", "detach", "detachIfAnswered", "dismantle", "finishDelete", "removeObjects"},
	"netns":                      {"deleteLink"},
	"sdn/dataplane":              {"DelLink", "RemoveFile", "RemoveNamespace", "removePin"},
	"cmd/moat/internal/holdings": {"DetachIf", "GiveBack"},
	"cmd/moat/internal/agent":    {"Undo"},
}

// notUndos are calls of takers that may stand outside effect.Undo, with the reason.
var notUndos = map[string]string{
	"tenant/tombstones.go:removeOld":               "an hour old: the rest of a write that a death cut short",
	"tenant/tombstones.go:write":                   "the rest of a write that failed, which nobody reads and the next start clears away",
	"netns/remove.go:deleteLink":                   "the request's own name",
	"tenant/detach.go:Detach":                      "a runtime asks for it, and its steps are undos",
	"tenant/detach.go:detachIfAnswered":            "is called in an undo",
	"tenant/detach.go:detach":                      "its steps are undos",
	"tenant/takedown.go:detachAll":                 "an operator asks for it",
	"tenant/takedown.go:deleteTenant":              "an operator asks for it, and its steps are undos",
	"tenant/takedown.go:finishDelete":              "its steps are undos",
	"tenant/lend.go:leave":                         "is called in an undo",
	"tenant/build.go:retire":                       "a network changes to another wording",
	"tenant/provider.go:admitPools":                "a pool is no more",
	"netns/remove.go:removeAnnounced":              "is called in an undo",
	"netns/pair.go:remove":                         "is called in an undo",
	"sdn/dataplane/netns.go:removeFile":            "is called in an undo",
	"cmd/moat/internal/holdings/orphans.go:detach": "package tenant detaches in an undo",
}

// undo is one call of effect.Undo.
type undo struct{ what, place string }

// What takes something back does so inside a call of effect.Undo.
func TestEveryUndoIsMarked(t *testing.T) {
	used := map[string]bool{}
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, f := range p.GoFiles {
			if len(takers[name]) == 0 {
				continue
			}
			file, set := parse(t, filepath.Join(p.Dir, f))
			walk(file, isUndo, func(call *ast.CallExpr, inside bool, function string) {
				if inside || isUndo(call) || !slices.Contains(takers[name], called(call)) {
					return
				}
				if place := name + "/" + f + ":" + function; notUndos[place] != "" {
					used[place] = true
					return
				}
				t.Errorf("%s takes something back: call it inside effect.Undo", set.Position(call.Pos()))
			})
		}
	}
	for place := range notUndos {
		if !used[place] {
			t.Errorf("%s needs no exception: take it out of the list", place)
		}
	}
}

func isUndo(call *ast.CallExpr) bool { return is(call, "effect", "Undo") }

// called is the name of the function or method that is called.
func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

func undos(t *testing.T) (all []undo) {
	for _, p := range list(t) {
		for _, f := range p.GoFiles {
			file, set := parse(t, filepath.Join(p.Dir, f))
			walk(file, isUndo, func(call *ast.CallExpr, _ bool, function string) {
				if !isUndo(call) {
					return
				}
				what := literal(call.Args[0])
				require.NotEmpty(t, what, "%s: what is taken back is a literal", set.Position(call.Pos()))
				all = append(all, undo{what, strings.TrimPrefix(p.ImportPath, module) + "/" + f + " " + function})
			})
		}
	}
	slices.SortFunc(all, func(a, b undo) int { return strings.Compare(a.what+a.place, b.what+b.place) })
	for i := range all[1:] {
		require.NotEqual(t, all[i].what, all[i+1].what, "an undo has a name of its own: %s and %s", all[i].place, all[i+1].place)
	}
	return all
}

func undosText(all []undo) string {
	var b strings.Builder
	b.WriteString(`
# Undos

Every step that takes something back: what a call did that failed, what a process left
that died, and what was of a pod, a tenant or a port that is no more. Each stands in a
call of effect.Undo, where tests take it out, one at a time, and see the kill matrix
fail.

| undo | where |
|---|---|
`)
	for _, u := range all {
		fmt.Fprintf(&b, "| %s | %s |\n", u.what, u.place)
	}
	return b.String()
}
