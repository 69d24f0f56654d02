package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Daemon is a Moat process inside a namespace.
type Daemon struct {
	Bin     string // folder of moat, moat-cni and moat-ipam
	Dir     string // its data, socket and CNI configuration
	Host    *Namespace
	Args    []string // further arguments
	Env     []string // and further environment, as NAME=VALUE
	Command string   // "up" when empty

	cmd  *exec.Cmd
	exit chan error
}

// DataDir is its data directory.
func (d *Daemon) DataDir() string { return filepath.Join(d.Dir, "data") }

// Socket is where its plugins call.
func (d *Daemon) Socket() string { return filepath.Join(d.Dir, "moat.sock") }

// ConfDir is its CNI configuration directory.
func (d *Daemon) ConfDir() string { return filepath.Join(d.Dir, "net.d") }

// NetnsDir is where its namespaces are pinned: a place of its own, so that what
// is left there is its own.
func (d *Daemon) NetnsDir() string { return filepath.Join(d.Dir, "netns") }

// LogFile is what it wrote to stderr.
func (d *Daemon) LogFile() string { return filepath.Join(d.Dir, "moat.log") }

// Start starts the process and waits until it can serve an ADD.
func (d *Daemon) Start(ctx context.Context) error {
	if err := d.Launch(); err != nil {
		return err
	}
	return d.wait(ctx)
}

// Launch starts the process and waits for nothing.
func (d *Daemon) Launch() error {
	log, err := os.OpenFile(d.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer log.Close()
	command := d.Command
	if command == "" {
		command = "up"
	}
	args := append([]string{command, "--data-dir", d.DataDir(), "--socket", d.Socket(), "--cni-conf-dir", d.ConfDir(), "--netns-dir", d.NetnsDir()}, d.Args...)
	d.cmd = exec.Command(filepath.Join(d.Bin, "moat"), args...)
	d.cmd.Stdout, d.cmd.Stderr, d.cmd.Env = log, log, append(os.Environ(), d.Env...)
	if d.exit, err = d.Host.Bring(d.cmd); err != nil {
		return fmt.Errorf("start moat: %w", err)
	}
	return nil
}

func (d *Daemon) wait(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := make(chan error, 1)
	go func() {
		out, err := d.CLI(ctx, "status", "--wait", "--timeout", "2m")
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		ready <- err
	}()
	select {
	case err := <-ready:
		return err
	case err := <-d.exit:
		d.exit <- err
		cancel()
		<-ready
		return fmt.Errorf("moat ended at its start: %w\n%s", err, d.tail())
	}
}

func (d *Daemon) tail() string {
	b, err := os.ReadFile(d.LogFile())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// CLI runs `moat ARGS --socket …` on the host and returns what it printed.
func (d *Daemon) CLI(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.Bin, "moat"), append(args, "--socket", d.Socket())...)
	var out []byte
	err := d.Host.Do(func() (err error) {
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		return string(out), fmt.Errorf("moat %v: %w", args, err)
	}
	return string(out), nil
}

// Kill ends the process with SIGKILL and reaps it. It, Stop and Wait report
// also the data races that the process found.
func (d *Daemon) Kill() error { return d.end(syscall.SIGKILL) }

// Stop ends the process with SIGTERM, and with SIGKILL after a minute.
func (d *Daemon) Stop() error { return d.end(syscall.SIGTERM) }

// Pid is the process ID of the running daemon.
func (d *Daemon) Pid() int { return d.cmd.Process.Pid }

func (d *Daemon) end(sig syscall.Signal) error {
	if d.cmd == nil || d.cmd.Process == nil {
		return nil
	}
	if err := d.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal moat: %w", err)
	}
	select {
	case err := <-d.exit:
		d.cmd = nil
		if err != nil && sig != syscall.SIGKILL {
			return fmt.Errorf("moat ended with %w:\n%s", err, d.tail())
		}
		return d.raced()
	case <-time.After(time.Minute):
		_ = d.cmd.Process.Kill()
		<-d.exit
		d.cmd = nil
		return fmt.Errorf("moat did not end within a minute of %s", sig)
	}
}

// Running says whether a process was started and has not been ended by Stop,
// Kill or Wait.
func (d *Daemon) Running() bool { return d.cmd != nil && d.cmd.Process != nil }

// Wait waits, at most a minute, until the process ends by itself.
func (d *Daemon) Wait() error {
	select {
	case err := <-d.exit:
		d.cmd = nil
		return errors.Join(err, d.raced())
	case <-time.After(time.Minute):
		return errors.New("moat did not end within a minute")
	}
}

// raced returns an error when the log holds a report of the race detector, which
// programs built with it write.
func (d *Daemon) raced() error {
	log, err := os.ReadFile(d.LogFile())
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	at := bytes.Index(log, []byte("WARNING: DATA RACE"))
	if at < 0 {
		return nil
	}
	return fmt.Errorf("moat has a data race:\n%s", log[at:min(len(log), at+6000)])
}
