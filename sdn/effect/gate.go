//go:build crashpoints

package effect

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// ErrInjected is the failure of a step that the test had fail.
var ErrInjected = errors.New("fault injected by a test")

// Do runs a step that changes something outside the process. what says in a few
// words what the step does; it is a constant.
func Do(kind Kind, what string, step func() error) error {
	path := os.Getenv(GateVar)
	if path == "" {
		return step()
	}
	gate, err := net.Dial("unix", path)
	if err != nil { // the test is over
		return step()
	}
	defer gate.Close()
	if ask(gate, "before", string(kind), what) == Fail {
		return injected("before", kind, what)
	}
	err = step()
	if ask(gate, "after", string(kind), what) == Fail {
		return errors.Join(err, injected("after", kind, what))
	}
	return err
}

func injected(when string, kind Kind, what string) error {
	return fmt.Errorf("%s %s %q: %w", when, kind, what, ErrInjected)
}

// Undo runs what takes back something that was done, unless the test has it taken
// out. what says in a few words what is taken back; it is a constant.
func Undo(what string, undo func() error) error {
	path := os.Getenv(GateVar)
	if path == "" {
		return undo()
	}
	gate, err := net.Dial("unix", path)
	if err != nil { // the test is over
		return undo()
	}
	answer := ask(gate, Undoing, what)
	gate.Close()
	if answer == Pretend {
		return nil
	}
	return undo()
}

func ask(gate net.Conn, words ...string) byte {
	if _, err := fmt.Fprintln(gate, strings.Join(words, " ")); err != nil {
		return GoOn
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(gate, answer); err != nil {
		return GoOn
	}
	return answer[0]
}
