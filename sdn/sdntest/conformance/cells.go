package conformance

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// Cell is one line of the contract.
type Cell struct {
	ID      string
	Section string
	What    string
	Reason  string // why no case can prove it; empty of most
}

// ReadCells reads a list of cells: ID, section, what must hold and an optional
// reason, parted by tabs.
func ReadCells(path string) ([]Cell, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read cells: %w", err)
	}
	defer f.Close()
	var cells []Cell
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		columns := strings.Split(lines.Text(), "\t")
		if len(columns) < 3 || len(columns) > 4 {
			return nil, fmt.Errorf("read cells: line %d of %s has %d columns, not 3 or 4", n, path, len(columns))
		}
		c := Cell{ID: columns[0], Section: columns[1], What: columns[2]}
		if len(columns) == 4 {
			c.Reason = columns[3]
		}
		cells = append(cells, c)
	}
	return cells, lines.Err()
}

// Faults says what is wrong between a list of cells, the cases and the targets
// that they are run on: cells that nothing proves, cells that are named and do
// not exist, and cases that run nowhere.
func Faults(cells []Cell, cases []Case, targets []Target) []string {
	var faults []string
	known, proven := map[string]Cell{}, map[string]bool{}
	for _, c := range cells {
		if _, twice := known[c.ID]; twice {
			faults = append(faults, "cell "+c.ID+" stands in the list twice")
		}
		known[c.ID] = c
	}
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.Name()] {
			faults = append(faults, "case "+c.Name()+" stands in the register twice")
		}
		names[c.Name()] = true
		faults = append(faults, c.faults(known, targets)...)
		for _, id := range c.Cells {
			proven[id] = true
		}
	}
	for _, c := range cells {
		if !proven[c.ID] && c.Reason == "" {
			faults = append(faults, "cell "+c.ID+" has neither a case nor a reason")
		}
	}
	return faults
}

func (c Case) faults(known map[string]Cell, targets []Target) []string {
	var faults []string
	if len(c.Cells) == 0 {
		faults = append(faults, "a case proves no cell")
	}
	for _, id := range c.Cells {
		cell, ok := known[id]
		if !ok {
			faults = append(faults, "case "+c.Name()+" names cell "+id+", which is not in the list")
		}
		if cell.Reason != "" {
			faults = append(faults, "cell "+id+" has both a case and a reason")
		}
	}
	for _, t := range targets {
		if c.Fits(t) {
			return faults
		}
	}
	return append(faults, "case "+c.Name()+" fits no target")
}
