package agent_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/socket"
)

func TestDaemonNotRunning(t *testing.T) {
	n := newNode(t)
	n.stop()
	for command, code := range map[string]uint{"ADD": 11, "DEL": 11, "CHECK": 11, "GC": 11, "STATUS": 50} {
		e := plugin(t, "moat-cni", n.env(vars{"CNI_COMMAND": command}), n.conf(nil)).failure(t)
		require.EqualValues(t, code, e.Code, command)
		require.Contains(t, e.Msg, "not running")
		require.Contains(t, e.Details, "moat up")
		if command == "ADD" {
			require.Contains(t, e.Msg, "blue/p1")
		}
	}
}

func TestDaemonLeftItsSocketBehind(t *testing.T) {
	n := newNode(t)
	n.stop()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: n.socket, Net: "unix"})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	l.Close()
	e := plugin(t, "moat-cni", n.env(nil), n.conf(nil)).failure(t)
	require.EqualValues(t, 11, e.Code)
	require.Contains(t, e.Details, "moat up")
	n.start(t) // a new daemon takes the place over
	require.Zero(t, plugin(t, "moat-cni", n.env(nil), n.conf(nil)).status)
}

func TestTwoDaemonsOnOneSocket(t *testing.T) {
	n := newNode(t)
	_, err := agent.Listen(t.Context(), n.socket)
	require.ErrorIs(t, err, socket.ErrTaken)
	require.Zero(t, plugin(t, "moat-cni", n.env(nil), n.conf(nil)).status, "the first goes on")
}

// The daemon dies when it has the request: the plugin says so, with code 11.
func TestDaemonDiesDuringTheCall(t *testing.T) {
	socket := filepath.Join(shortDir(t), "s")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			io.ReadAtLeast(c, make([]byte, 64), 64)
			c.Close()
		}
	}()
	n := &node{pod: newPod(t), socket: socket}
	e := plugin(t, "moat-cni", n.env(nil), n.conf(nil)).failure(t)
	require.EqualValues(t, 11, e.Code)
	require.Contains(t, e.Msg, "blue/p1")
	require.Contains(t, e.Msg, "did not answer")
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "moat")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestVersionsOfTheProtocolDiffer(t *testing.T) {
	t.Run("the daemon is newer", func(t *testing.T) {
		socket := filepath.Join(shortDir(t), "s")
		l, err := net.Listen("unix", socket)
		require.NoError(t, err)
		defer l.Close()
		go func() {
			if c, err := l.Accept(); err == nil {
				c.Write([]byte("MOAT\x09\x03\x00\x00\x00\x00\x00\x02{}"))
				io.Copy(io.Discard, c)
				c.Close()
			}
		}()
		n := &node{pod: newPod(t), socket: socket}
		e := plugin(t, "moat-cni", n.env(nil), n.conf(nil)).failure(t)
		require.EqualValues(t, 11, e.Code)
		require.Contains(t, e.Msg, "other side speaks 9, this one 2")
		require.Contains(t, e.Details, "one release")
	})
	t.Run("the plugin is newer", func(t *testing.T) {
		n := newNode(t)
		reply := raw(t, n.socket, "MOAT\x09\x01\x00\x00\x00\x00\x00\x02{}")
		require.Contains(t, reply.Failure.Msg, "other side speaks 9, this one 2")
	})
	t.Run("no protocol at all", func(t *testing.T) {
		n := newNode(t)
		reply := raw(t, n.socket, "GET / HTTP/1.1\r\n\r\n")
		require.EqualValues(t, 5, reply.Failure.Code)
	})
}

// raw sends bytes and returns the daemon's answer.
func raw(t *testing.T, socket, text string) protocol.Reply {
	t.Helper()
	c, err := net.Dial("unix", socket)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	_, err = c.Write([]byte(text))
	require.NoError(t, err)
	h, err := protocol.ReadHeader(c)
	require.NoError(t, err)
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(c, payload)
	require.NoError(t, err)
	reply, err := protocol.ParseReply(h, payload)
	require.NoError(t, err)
	return reply
}

func TestOnlyRootMayCall(t *testing.T) {
	n := newNode(t)
	info, err := os.Stat(n.socket)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o660), info.Mode().Perm())

	require.NoError(t, os.Chmod(n.socket, 0o666)) // the mode alone must not be what keeps others out
	require.NoError(t, os.Chmod(filepath.Dir(n.socket), 0o755))
	require.NoError(t, os.Chmod(pluginDir, 0o755))
	c := exec.CommandContext(t.Context(), filepath.Join(pluginDir, "moat-cni"))
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	c.Env = []string{"CNI_COMMAND=DEL", "CNI_CONTAINERID=c1", "CNI_IFNAME=eth0", "CNI_PATH=/"}
	stdin, err := c.StdinPipe()
	require.NoError(t, err)
	go func() { stdin.Write(n.conf(nil)); stdin.Close() }()
	out, err := c.Output()
	require.Error(t, err)
	require.Contains(t, string(out), "user 65534 may not make CNI calls")
	require.Empty(t, n.service.detaches())
}

// The runtime stops the plugin while the daemon works: the daemon stops working
// and takes back what it did.
func TestPluginDiesDuringAdd(t *testing.T) {
	for name, finishes := range map[string]bool{"the service notices": false, "the service has finished": true} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			inside := make(chan struct{})
			n.service.onAttach(func(ctx context.Context) error {
				close(inside)
				<-ctx.Done()
				if finishes {
					return nil
				}
				return context.Cause(ctx)
			})
			c := exec.Command(filepath.Join(pluginDir, "moat-cni"))
			for k, v := range n.env(nil) {
				c.Env = append(c.Env, k+"="+v)
			}
			stdin, err := c.StdinPipe()
			require.NoError(t, err)
			require.NoError(t, c.Start())
			_, err = stdin.Write(n.conf(nil))
			require.NoError(t, err)
			require.NoError(t, stdin.Close())
			<-inside
			require.NoError(t, c.Process.Kill())
			require.Error(t, c.Wait())
			if finishes {
				require.Eventually(t, func() bool { return len(n.service.detaches()) == 1 }, time.Minute, time.Millisecond)
				require.Equal(t, "c1", n.service.detaches()[0].ContainerID)
			}
			n.stop()
			require.Len(t, n.service.detaches(), map[bool]int{true: 1}[finishes])
		})
	}
}

// The result cannot be written to the runtime: the plugin fails and the daemon
// takes the ADD back.
func TestRuntimeClosesStandardOutput(t *testing.T) {
	n := newNode(t)
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	reader.Close()
	c := exec.CommandContext(t.Context(), filepath.Join(pluginDir, "moat-cni"))
	for k, v := range n.env(nil) {
		c.Env = append(c.Env, k+"="+v)
	}
	c.Stdout = writer
	stdin, err := c.StdinPipe()
	require.NoError(t, err)
	go func() { stdin.Write(n.conf(nil)); stdin.Close() }()
	require.Error(t, c.Run())
	writer.Close()
	require.Eventually(t, func() bool { return len(n.service.detaches()) == 1 }, time.Minute, time.Millisecond)
}

// A plugin that is started without standard output claims no success that nobody
// could read, and does nothing; what prints nothing goes on, and so does what the
// runtime throws away on purpose.
func TestWithoutStandardOutputNothingIsAdded(t *testing.T) {
	n := newNode(t)
	run := func(command string, stdout *os.File) (status int, stderr string) {
		stdin, w, err := os.Pipe()
		require.NoError(t, err)
		defer stdin.Close()
		go func() { w.Write(n.conf(nil)); w.Close() }()
		logs, err := os.CreateTemp(t.TempDir(), "stderr")
		require.NoError(t, err)
		defer logs.Close()
		var env []string
		for k, v := range n.env(vars{"CNI_COMMAND": command}) {
			env = append(env, k+"="+v)
		}
		file := filepath.Join(pluginDir, "moat-cni")
		p, err := os.StartProcess(file, []string{file}, &os.ProcAttr{Env: env, Files: []*os.File{stdin, stdout, logs}})
		require.NoError(t, err)
		ended, err := p.Wait()
		require.NoError(t, err)
		b, err := os.ReadFile(logs.Name())
		require.NoError(t, err)
		return ended.ExitCode(), string(b)
	}
	for _, command := range []string{"ADD", "VERSION"} {
		status, stderr := run(command, nil)
		require.Equal(t, 1, status, command)
		require.Contains(t, stderr, "standard output is closed", command)
	}
	require.Zero(t, n.service.count())
	require.Empty(t, n.service.detaches(), "the daemon was not called")
	thrown, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer thrown.Close()
	status, stderr := run("ADD", thrown)
	require.Zero(t, status, stderr)
	require.Equal(t, 1, n.service.count())
	status, stderr = run("DEL", nil)
	require.Zero(t, status, stderr)
	require.Zero(t, n.service.count())
}

func TestStopWaitsForCallsAndLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	n := newNode(t)
	inside, release := make(chan struct{}), make(chan struct{})
	n.service.onAttach(func(context.Context) error { close(inside); <-release; return nil })
	done := make(chan answer, 1)
	go func() { done <- plugin(t, "moat-cni", n.env(nil), n.conf(nil)) }()
	<-inside
	stopped := make(chan struct{})
	go func() { n.stop(); close(stopped) }()
	require.Eventually(t, func() bool { _, err := os.Stat(n.socket); return errors.Is(err, os.ErrNotExist) }, time.Minute, time.Millisecond)
	close(release)
	require.Zero(t, (<-done).status)
	<-stopped
	require.Empty(t, n.service.detaches())
}

func TestStandaloneHandsOverStandardInput(t *testing.T) {
	dir := shortDir(t)
	b, err := os.ReadFile(filepath.Join(pluginDir, "moat-cni"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "moat-cni"), b, 0o755))
	// In moat's place stands a program that repeats its input, arguments and
	// environment.
	script := "#!/bin/sh\necho \"$1 $CNI_CONTAINERID\"\n/bin/cat\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "moat"), []byte(script), 0o755))
	n := &node{pod: newPod(t), socket: "/nowhere"}
	conf := n.conf(keys{"standalone": true})
	a := plugin(t, filepath.Join(dir, "moat-cni"), n.env(nil), conf)
	require.Zero(t, a.status)
	require.Equal(t, "cni c1\n"+string(conf), string(a.stdout))
}
