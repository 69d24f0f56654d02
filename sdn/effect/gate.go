//go:build crashpoints

package effect

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// What the test answers, one byte to each line that it is sent.
const (
	GoOn = 'g'
	Fail = 'f' // before a step: it is not done, and fails; after it: its outcome is lost
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
	if err := ask(gate, "before", kind, what); err != nil {
		return err
	}
	return errors.Join(step(), ask(gate, "after", kind, what))
}

func ask(gate net.Conn, when string, kind Kind, what string) error {
	if _, err := fmt.Fprintf(gate, "%s %s %s\n", when, kind, what); err != nil {
		return nil
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(gate, answer); err == nil && answer[0] == Fail {
		return fmt.Errorf("%s %s %q: %w", when, kind, what, ErrInjected)
	}
	return nil
}
