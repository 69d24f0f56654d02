package shim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/internal/shim"
)

// daemon is a Daemon that remembers how a call ended.
type daemon struct {
	reply    protocol.Reply
	call     func()
	received bool
	closed   bool
}

func (d *daemon) Call(context.Context, protocol.Request, protocol.Runner) (protocol.Reply, error) {
	if d.call != nil {
		d.call()
	}
	return d.reply, nil
}

func (d *daemon) Received() error { d.received = true; return nil }
func (d *daemon) Close() error    { d.closed = true; return nil }

func run(d *daemon, stdin io.Reader, stdout io.Writer) (status int, logs string) {
	env := map[string]string{"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0", "CNI_PATH": "/"}
	var stderr bytes.Buffer
	p := shim.Plugin{About: "test", Caller: protocol.CallerCNI, Getenv: func(k string) string { return env[k] },
		Stdin: stdin, Stdout: stdout, Stderr: &stderr,
		Connect: func(cniconf.Head, time.Duration) (shim.Daemon, error) { return d, nil }}
	return p.Run(context.Background()), stderr.String()
}

func conf() io.Reader { return strings.NewReader(`{"cniVersion":"1.0.0","name":"moat"}`) }

type broken struct{}

func (broken) Read([]byte) (int, error)  { return 0, errors.New("broken pipe") }
func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestPanicIsOneJSONDocument(t *testing.T) {
	d := &daemon{call: func() { panic("boom") }}
	var out bytes.Buffer
	status, logs := run(d, conf(), &out)
	require.Equal(t, 1, status)
	var e cniconf.Error
	require.NoError(t, json.Unmarshal(out.Bytes(), &e))
	require.Equal(t, cniconf.CodeInternal, e.Code)
	require.NotContains(t, out.String(), "goroutine")
	require.Contains(t, logs, "boom")
	require.True(t, d.closed)
	require.False(t, d.received)
}

func TestReceivedOnlyWhenPrinted(t *testing.T) {
	d := &daemon{reply: protocol.Reply{Result: []byte("{}")}}
	status, _ := run(d, conf(), broken{})
	require.Equal(t, 1, status)
	require.False(t, d.received)
	require.True(t, d.closed)

	var out bytes.Buffer
	status, _ = run(d, conf(), &out)
	require.Zero(t, status)
	require.Equal(t, "{}", out.String())
	require.True(t, d.received)
}

func TestStandardInputBreaks(t *testing.T) {
	var out bytes.Buffer
	status, _ := run(&daemon{}, broken{}, &out)
	require.Equal(t, 1, status)
	require.Contains(t, out.String(), `"code":5`)
}

// tooLong is a Daemon that no frame of this length reaches.
type tooLong struct{ *daemon }

func (tooLong) Call(context.Context, protocol.Request, protocol.Runner) (protocol.Reply, error) {
	return protocol.Reply{}, protocol.ErrTooLong
}

func TestConfigurationTooLongForTheDaemonIsNotTriedAgain(t *testing.T) {
	var out bytes.Buffer
	env := map[string]string{"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0", "CNI_PATH": "/"}
	p := shim.Plugin{About: "test", Caller: protocol.CallerCNI, Getenv: func(k string) string { return env[k] },
		Stdin: conf(), Stdout: &out, Stderr: io.Discard,
		Connect: func(cniconf.Head, time.Duration) (shim.Daemon, error) { return tooLong{&daemon{}}, nil }}
	require.Equal(t, 1, p.Run(context.Background()))
	require.Contains(t, out.String(), `"code":7`)
	require.Contains(t, out.String(), "too long")
}

// The error is printed in the version that the configuration names.
func TestFailureNamesTheVersion(t *testing.T) {
	d := &daemon{reply: protocol.Reply{Failure: &cniconf.Error{Code: 11, Msg: "later"}}}
	var out bytes.Buffer
	status, _ := run(d, conf(), &out)
	require.Equal(t, 1, status)
	require.JSONEq(t, `{"cniVersion":"1.0.0","code":11,"msg":"later"}`, out.String())
}

// delegating is a Daemon that has a plugin run.
type delegating struct {
	*daemon
	order protocol.Run
	ran   protocol.Ran
}

func (d *delegating) Call(ctx context.Context, r protocol.Request, run protocol.Runner) (protocol.Reply, error) {
	d.order.Env.ContainerID, d.order.Timeout = r.Env.ContainerID, r.Timeout
	d.ran = run(ctx, d.order)
	return d.reply, nil
}

// Plugins that the daemon has run are found in its order's CNI_PATH and get the
// runtime's environment; what they say on standard error is the runtime's to read.
func TestPluginsThatTheDaemonHasRun(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plug"),
		[]byte("#!/bin/sh\necho \"$CNI_COMMAND $CNI_CONTAINERID $RUNTIMES\"\necho noise >&2\nexit 1\n"), 0o755))
	d := &delegating{daemon: &daemon{reply: protocol.Reply{Result: []byte("{}")}},
		order: protocol.Run{Plugin: "plug", Env: cniconf.Env{Command: "CHECK", Path: dir}}}
	env := map[string]string{"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0", "CNI_PATH": "/"}
	var out, logs bytes.Buffer
	p := shim.Plugin{About: "test", Caller: protocol.CallerCNI, Getenv: func(k string) string { return env[k] },
		Environ: func() []string { return []string{"RUNTIMES=own", "CNI_COMMAND=DEL"} }, Stdin: conf(), Stdout: &out, Stderr: &logs,
		Connect: func(cniconf.Head, time.Duration) (shim.Daemon, error) { return d, nil }}
	require.Zero(t, p.Run(t.Context()))
	require.Equal(t, protocol.Ran{Stdout: []byte("CHECK c1 own\n"), Status: 1}, d.ran)
	require.Equal(t, "noise\n", logs.String())
	require.Equal(t, "{}", out.String(), "what a plugin prints is not the result")
}
