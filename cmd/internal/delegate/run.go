package delegate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
)

const (
	// maxOutput is how much a plugin may print on standard output, in bytes; a
	// result takes a few kB.
	maxOutput = 1 << 20
	// closing is how long the output of a plugin that ended is waited for: a child of
	// its own may hold it open.
	closing = time.Second
	// discarding is that of one that was killed, of which nothing but its last words
	// is of use: its caller has waited long enough.
	discarding = 20 * time.Millisecond
	// busyTries and busyPause: a program that is just being installed cannot be
	// started for a moment.
	busyTries = 5
	busyPause = 200 * time.Millisecond
)

var errTooMuch = fmt.Errorf("it printed more than %d bytes", maxOutput)

// Run runs a plugin and returns when it has ended. Its environment is environ with
// r's CNI_ variables; what it prints on standard error goes to stderr.
func Run(ctx context.Context, r protocol.Run, environ []string, stderr io.Writer) protocol.Ran {
	file, failure := Find(r.Plugin, r.Env.Path)
	if failure != nil {
		return protocol.Ran{Failure: failure, Unstarted: true}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("it did not end within %s", r.Timeout.Round(time.Millisecond)))
	defer cancel()
	// The kernel kills the plugin when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for try := 1; ; try++ {
		ran, err := once(ctx, file, r, environment(environ, r.Env), stderr)
		if err == nil {
			return ran
		}
		if try == busyTries || !errors.Is(err, syscall.ETXTBSY) || !pause(ctx) {
			return protocol.Ran{Failure: failed(ctx, r.Plugin, err)}
		}
	}
}

// once starts the program and waits for it. An error says that it did not come to
// an end of its own.
func once(ctx context.Context, file string, r protocol.Run, environ []string, stderr io.Writer) (protocol.Ran, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := &bounded{full: func() { cancel(errTooMuch) }}
	c := exec.CommandContext(ctx, file)
	c.Env, c.Stdin, c.Stdout, c.Stderr = environ, bytes.NewReader(r.Config), out, copied{stderr}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.WaitDelay = closing
	c.Cancel = func() error {
		c.WaitDelay = discarding // is read after this
		return syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
	}
	err := leashed(c)
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return protocol.Ran{}, context.Cause(ctx)
	case errors.As(err, &ended) && ended.Exited():
		return protocol.Ran{Stdout: out.kept, Status: ended.ExitCode()}, nil
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return protocol.Ran{}, err
	}
	return protocol.Ran{Stdout: out.kept}, nil
}

// leashed runs c. What it started ends with this process, and when c was killed. It
// has no configuration, and so nothing to do, before that is made sure.
func leashed(c *exec.Cmd) error {
	l, err := newLeash()
	if err != nil {
		return err
	}
	defer l.close()
	c.ExtraFiles = []*os.File{l.plugins}
	on := make(chan struct{})
	c.Stdin = withheld{on, c.Stdin}
	if err := c.Start(); err != nil {
		return err
	}
	fastened := l.fasten(c.Process.Pid)
	close(on)
	err = c.Wait()
	if c.ProcessState.ExitCode() >= 0 { // it was not killed
		fastened = errors.Join(fastened, l.loosen())
	}
	return errors.Join(err, fastened)
}

// failed is why a plugin did not end by itself; a caller that gave up, and time
// that was over, pass.
func failed(ctx context.Context, name string, err error) *cniconf.Error {
	e := &cniconf.Error{Code: cniconf.CodeIO, Msg: fmt.Sprintf("plugin %q: %v", name, err), Details: "see what the plugin says of itself"}
	if ctx.Err() != nil {
		e.Code, e.Details = cniconf.CodeTryAgain, "it was killed; the runtime may try again"
	}
	return e
}

// pause waits for another try; false: there is no time for one.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(busyPause):
		return true
	}
}

// copied is a writer that no child has a descriptor of: one that outlives the plugin
// would keep the runtime waiting for the end of standard error.
type copied struct{ io.Writer }

// withheld is a reader that has nothing to read before its time.
type withheld struct {
	on <-chan struct{}
	io.Reader
}

// Read implements io.Reader.
func (w withheld) Read(p []byte) (int, error) {
	<-w.on
	return w.Reader.Read(p)
}

// bounded keeps what is written to it, up to maxOutput.
type bounded struct {
	kept []byte
	full func()
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if len(b.kept)+len(p) > maxOutput {
		b.full()
		return 0, errTooMuch
	}
	b.kept = append(b.kept, p...)
	return len(p), nil
}
