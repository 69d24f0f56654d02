package protocol

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
)

// Run has a client run a plugin of CNI_PATH.
type Run struct {
	Plugin  string        // the name of its program, without a path
	Env     cniconf.Env   // its CNI_ variables; all others are the client's own
	Config  []byte        // its standard input
	Timeout time.Duration // it is killed then
}

// Ran is what became of a plugin.
type Ran struct {
	Stdout []byte `json:"stdout,omitempty"`
	Status int    `json:"status"` // of its process
	// Failure says why it could not be started, or was killed; Status and Stdout
	// mean nothing then.
	Failure *cniconf.Error `json:"failure,omitempty"`
	// Unstarted: with a Failure, no part of it ran.
	Unstarted bool `json:"unstarted,omitempty"`
}

// Runner runs a plugin. It returns soon after ctx ends.
type Runner func(ctx context.Context, r Run) Ran

// RunFrame is the frame of a Run.
func RunFrame(r Run) ([]byte, error) {
	as := Request{Caller: r.Plugin, Env: r.Env, Config: r.Config, Timeout: r.Timeout}
	return Frame(KindRun, as.payload())
}

// ParseRun reads what follows the header of a Run, which has a request's form.
func ParseRun(payload []byte) (Run, error) {
	r, err := parseRequest(payload)
	if err != nil {
		return Run{}, fmt.Errorf("decode what is to be run: %w", err)
	}
	return Run{Plugin: r.Caller, Env: r.Env, Config: r.Config, Timeout: r.Timeout}, nil
}

// RanFrame is the frame of a Ran.
func RanFrame(r Ran) ([]byte, error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode what was run: %w", err)
	}
	return Frame(KindRan, payload)
}

// ParseRan reads what follows the header of a Ran.
func ParseRan(payload []byte) (Ran, error) {
	var r Ran
	if err := json.Unmarshal(payload, &r); err != nil {
		return Ran{}, fmt.Errorf("%w: decode what was run: %w", ErrFormat, err)
	}
	return r, nil
}
