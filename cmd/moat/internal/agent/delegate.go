package agent

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/delegate"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/sdn/effect"
)

// longestRun bounds a plugin that is run without a deadline of its caller's.
const longestRun = time.Minute

// delegation is one run of a plugin of others (CNI 1.1.0, section 4).
type delegation struct {
	plugin  string // its "type"
	command string
	ifName  string // "": the call's own
	config  []byte // the whole of it, as the plugin is to read it
}

// delegates runs plugins of others for one call.
type delegates struct {
	env    cniconf.Env // of the call
	runner protocol.Runner
}

// run returns what the plugin printed. That it failed is a *cniconf.Error with the
// plugin's own code and words.
func (d delegates) run(ctx context.Context, do delegation) ([]byte, error) {
	env := d.env
	env.Command, env.IfName = do.command, cmp.Or(do.ifName, env.IfName)
	timeout := longestRun
	if end, ok := ctx.Deadline(); ok {
		timeout = time.Until(end)
	}
	var ran protocol.Ran
	err := effect.Do(effect.Plugin, "run a plugin of others", func() error {
		ran = d.runner(ctx, protocol.Run{Plugin: do.plugin, Env: env, Config: do.config, Timeout: timeout})
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case ran.Failure != nil && ran.Unstarted:
		return nil, unstarted{ran.Failure}
	case ran.Failure != nil:
		return nil, ran.Failure
	case ran.Status != 0:
		return nil, pluginFailure(do.plugin, ran)
	}
	if err := sound(ran.Stdout); err != nil && do.command == cniconf.Add {
		return nil, &cniconf.Error{Code: cniconf.CodeDecode, Msg: fmt.Sprintf("plugin %q: its result: %v", do.plugin, err),
			Details: "the plugin is defective"}
	}
	return ran.Stdout, nil
}

// unstarted is the failure of a plugin of which no part ran.
type unstarted struct{ why *cniconf.Error }

func (u unstarted) Error() string { return u.why.Error() }

// Unwrap returns what is printed.
func (u unstarted) Unwrap() error { return u.why }

// pluginFailure passes on what a plugin says of its failure.
func pluginFailure(plugin string, ran protocol.Ran) *cniconf.Error {
	said := new(cniconf.Error)
	if err := json.Unmarshal(ran.Stdout, said); err == nil && said.Msg != "" {
		return &cniconf.Error{Code: cmp.Or(said.Code, cniconf.CodeIO), Msg: fmt.Sprintf("plugin %q: %s", plugin, said.Msg), Details: said.Details}
	}
	text := "it printed nothing"
	if out := bytes.TrimSpace(ran.Stdout); len(out) > 0 {
		text = fmt.Sprintf("it printed no error object, but %.*q", longestQuote, out)
	}
	return &cniconf.Error{Code: cniconf.CodeIO, Msg: fmt.Sprintf("plugin %q ended with status %d: %s", plugin, ran.Status, text),
		Details: "the runtime's log has what it said on standard error"}
}

// runHere runs a plugin in this process's surroundings, for a caller that is gone:
// what its CNI_PATH names may or may not be here.
func (a *Agent) runHere(ctx context.Context, r protocol.Run) protocol.Ran {
	logs := &logLines{log: a.log, plugin: r.Plugin}
	return delegate.Run(ctx, r, []string{"PATH=" + os.Getenv("PATH")}, logs)
}

// logLines logs what a plugin says on standard error.
type logLines struct {
	log    *slog.Logger
	plugin string
}

// Write implements io.Writer.
func (l *logLines) Write(p []byte) (int, error) {
	l.log.Info("a plugin's standard error", "plugin", l.plugin, "text", fmt.Sprintf("%.*s", longestQuote, bytes.TrimSpace(p)))
	return len(p), nil
}
