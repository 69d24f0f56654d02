package conformance_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/sdntest/conformance"
	"github.com/moatnet/moat/sdn/wire"
)

func TestListsOfCellsThatAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"two columns": "1.a\t1\n", "five columns": "1.a\t1\twhat\treason\tmore\n", "an empty line": "1.a\t1\twhat\n\n1.b\t1\twhat\n",
	} {
		file := filepath.Join(t.TempDir(), "cells")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := conformance.ReadCells(file)
		require.ErrorContains(t, err, "columns", name)
	}
	_, err := conformance.ReadCells("nowhere")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFaultsBetweenCellsAndCases(t *testing.T) {
	foreign := conformance.Target{Release: wire.V5}
	cells := []conformance.Cell{{ID: "a"}, {ID: "b", Reason: "none can"}}
	proof := conformance.Case{Cells: []string{"a"}}
	for name, c := range map[string]struct {
		cells []conformance.Cell
		cases []conformance.Case
		want  string
	}{
		"nothing":            {cells, []conformance.Case{proof}, ""},
		"a cell unproven":    {cells, nil, "cell a has neither a case nor a reason"},
		"a cell twice":       {append(cells, cells[0]), []conformance.Case{proof}, "cell a stands in the list twice"},
		"an unknown cell":    {cells, []conformance.Case{proof, {Cells: []string{"c"}}}, "case c names cell c, which is not in the list"},
		"reason and case":    {cells, []conformance.Case{proof, {Cells: []string{"b"}}}, "cell b has both a case and a reason"},
		"a case twice":       {cells, []conformance.Case{proof, proof}, "case a stands in the register twice"},
		"a case of no cell":  {cells, []conformance.Case{proof, {}}, "a case proves no cell"},
		"of another release": {cells, []conformance.Case{{Cells: []string{"a"}, Only: []wire.Release{wire.V1}}}, "case a in 1.9 fits no target"},
		"of our own alone":   {cells, []conformance.Case{{Cells: []string{"a"}, Own: true}}, "case a fits no target"},
		"of Moat alone":      {cells, []conformance.Case{{Cells: []string{"a"}, Differs: "does not"}}, "case a fits no target"},
	} {
		faults := conformance.Faults(c.cells, c.cases, []conformance.Target{foreign})
		if c.want == "" {
			require.Empty(t, faults, name)
			continue
		}
		require.Equal(t, []string{c.want}, faults, name)
	}
}
