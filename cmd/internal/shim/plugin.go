package shim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/delegate"
	"github.com/moatnet/moat/cmd/internal/protocol"
)

const (
	// callTimeout is what the daemon has for a call: less than the two minutes
	// that a kubelet gives a runtime, so that the pod's events show our words.
	callTimeout = 80 * time.Second
	// statusTimeout is short: runtimes ask every few seconds.
	statusTimeout = 10 * time.Second
	// grace is how much longer than the daemon the plugin waits for its answer.
	grace = 5 * time.Second
)

// Daemon is who serves the call.
type Daemon interface {
	// Call serves the request; run runs the plugins that it delegates to.
	Call(ctx context.Context, r protocol.Request, run protocol.Runner) (protocol.Reply, error)
	// Received says that the runtime has the result; a Close without it makes
	// the daemon undo an ADD.
	Received() error
	Close() error
}

// Plugin is one run of a plugin: the process's inputs and outputs, as fields.
type Plugin struct {
	About  string // what this is, for someone who starts it by hand
	Caller string // protocol.CallerCNI or protocol.CallerIPAM
	Getenv func(string) string
	// Environ is the whole environment, which plugins that are delegated to get.
	Environ func() []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	// Connect reaches the daemon of a network configuration.
	Connect func(h cniconf.Head, timeout time.Duration) (Daemon, error)
	// Standalone serves a configuration that asks for no daemon; it returns only
	// if it cannot. nil: this process is the one that serves it.
	Standalone func(stdin []byte) error
}

// Run does the call and returns the process's exit status.
func (p *Plugin) Run(ctx context.Context) (status int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(p.Stderr, "%s: panic: %v\n%s", p.About, r, debug.Stack())
			status = p.fail(&cniconf.Error{Code: cniconf.CodeInternal, Msg: fmt.Sprintf("internal error: %v", r),
				Details: "the plugin's standard error has the trace; please report it"})
		}
	}()
	env, failure := cniconf.ReadEnv(p.Getenv)
	if failure != nil {
		if env.Command == "" {
			fmt.Fprintf(p.Stderr, "%s\nCNI versions: %v\n", p.About, cniconf.Versions())
		}
		return p.fail(failure)
	}
	if failure := p.unheard(env); failure != nil {
		fmt.Fprintf(p.Stderr, "%s: %v\n", p.About, failure)
		return p.fail(failure)
	}
	if env.Command == cniconf.Version {
		return p.version()
	}
	stdin, err := io.ReadAll(p.Stdin)
	if err != nil {
		return p.fail(&cniconf.Error{Code: cniconf.CodeIO, Msg: fmt.Sprintf("read standard input: %v", err)})
	}
	head, failure := cniconf.ReadHead(env.Command, stdin)
	if failure != nil {
		return p.fail(failure)
	}
	if failure = p.serve(ctx, env, head, stdin); failure != nil {
		failure.CNIVersion = head.CNIVersion
		return p.fail(failure)
	}
	return 0
}

// serve passes the call on and prints its result.
func (p *Plugin) serve(ctx context.Context, env cniconf.Env, head cniconf.Head, stdin []byte) *cniconf.Error {
	if head.Standalone && p.Standalone != nil {
		err := p.Standalone(stdin)
		return &cniconf.Error{Code: cniconf.CodeConfig, Msg: fmt.Sprintf("%s: standalone mode: %v", env.Subject(), err),
			Details: `put the program moat into the plugin's own folder, or remove "standalone" and start the daemon with: moat up`}
	}
	netns, failure := openNetns(env)
	if failure != nil {
		return failure
	}
	if netns != protocol.NoNetns {
		defer syscall.Close(netns)
	}
	timeout := callTimeout
	if env.Command == cniconf.Status {
		timeout = statusTimeout
	}
	daemon, err := p.Connect(head, timeout+grace)
	if err != nil {
		return unreachable(env, head, err)
	}
	defer daemon.Close()
	reply, err := daemon.Call(ctx, protocol.Request{Caller: p.Caller, Env: env, Config: stdin, Timeout: timeout, Netns: netns}, p.delegate)
	if err != nil {
		return unreachable(env, head, err)
	}
	if reply.Failure != nil {
		return reply.Failure
	}
	if len(reply.Result) > 0 {
		if _, err := p.Stdout.Write(reply.Result); err != nil {
			return &cniconf.Error{Code: cniconf.CodeIO, Msg: fmt.Sprintf("%s: write the result: %v", env.Subject(), err)}
		}
	}
	if err := daemon.Received(); err != nil {
		fmt.Fprintf(p.Stderr, "%s: confirm the result: %v\n", p.About, err)
	}
	return nil
}

// delegate runs another plugin, with the runtime's environment.
func (p *Plugin) delegate(ctx context.Context, r protocol.Run) protocol.Ran {
	return delegate.Run(ctx, r, p.Environ(), p.Stderr)
}

// fail prints the error object and returns the exit status.
func (p *Plugin) fail(e *cniconf.Error) int {
	if e.CNIVersion == "" {
		e.CNIVersion = cniconf.Current
	}
	p.print(e)
	return 1
}

func (p *Plugin) print(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = p.Stdout.Write(append(b, '\n'))
	}
	if err != nil {
		fmt.Fprintf(p.Stderr, "%s: write to standard output: %v\n", p.About, err)
	}
}

// version answers VERSION in the version that the runtime named, if any. A
// terminal is not waited for.
func (p *Plugin) version() int {
	asked := struct {
		CNIVersion string `json:"cniVersion"`
	}{}
	if !isTerminal(p.Stdin) {
		if b, err := io.ReadAll(p.Stdin); err != nil || json.Unmarshal(b, &asked) != nil {
			asked.CNIVersion = ""
		}
	}
	if asked.CNIVersion == "" {
		asked.CNIVersion = cniconf.Current
	}
	p.print(struct {
		CNIVersion        string   `json:"cniVersion"`
		SupportedVersions []string `json:"supportedVersions"`
	}{asked.CNIVersion, cniconf.Versions()})
	return 0
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// unreachable says that the daemon did not serve the call: passing, so that the
// runtime tries again; for STATUS, that no ADD can be served.
func unreachable(env cniconf.Env, head cniconf.Head, err error) *cniconf.Error {
	e := &cniconf.Error{Code: cniconf.CodeTryAgain}
	if env.Command == cniconf.Status {
		e.Code = cniconf.CodeUnavailable
	}
	cause := "the daemon did not answer"
	switch {
	case errors.Is(err, protocol.ErrVersion):
		cause = "the daemon is of another release"
		e.Details = "install moat and its plugins of one release, then restart the daemon"
	case errors.Is(err, protocol.ErrTooLong):
		e.Code, cause = cniconf.CodeConfig, "the network configuration is too long for the daemon"
		e.Details = "nothing that long belongs in it"
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		cause = "the daemon is not running"
		e.Details = "start it with: moat up"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		cause = "the daemon's socket may not be used"
		e.Details = "the plugin must run as root"
	case errors.Is(err, syscall.ETIMEDOUT):
		e.Details = "look for what it waits for in the daemon's log"
	default:
		e.Details = "it may be restarting; see the daemon's log"
	}
	e.Msg = fmt.Sprintf("%s: %s at %s: %v", env.Subject(), cause, head.Socket, err)
	return e
}
