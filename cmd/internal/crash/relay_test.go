package crash

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/cmd/internal/protocol"
)

// The steps of a plugin that asks a daemon, in order: each is where it is killed.
const (
	connected    = "connected"              // it has asked nothing
	unheard      = "its request is sent"    // and did not reach the daemon
	halfHeard    = "half its request heard" // by the daemon
	heard        = "its request heard"      // the daemon begins
	replied      = "the daemon has answered"
	halfAnswered = "half the answer received"
	printed      = "its result is printed" // and the daemon not told
	confirmed    = "the daemon is told"
)

var pluginSteps = []string{connected, unheard, halfHeard, heard, replied, halfAnswered, printed, confirmed}

// relay stands between one plugin and the daemon, and holds what they say to each
// other up at a step.
type relay struct {
	path, daemon string
	step         string
	there        chan error // its step has come, or an error
	gone         chan struct{}
	listener     *net.UnixListener
	tasks        sync.WaitGroup
}

// relay listens until the plugin is killed, or the call ends.
func (h *host) relay(step string) *relay {
	h.t.Helper()
	r := &relay{path: filepath.Join(h.lab.Dir, "relay.sock"), daemon: h.daemon.Socket(), step: step, there: make(chan error, 1), gone: make(chan struct{})}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: r.path, Net: "unix"})
	require.NoError(h.t, err)
	r.listener = l
	r.tasks.Go(func() {
		if err := r.serve(); err != nil {
			r.there <- err
		}
	})
	return r
}

// close ends the connections, as the plugin's death does.
func (r *relay) close() {
	close(r.gone)
	_ = r.listener.Close()
	r.tasks.Wait()
}

// serve passes on what one plugin and the daemon say, until the step.
func (r *relay) serve() error {
	plugin, err := r.listener.AcceptUnix()
	if err != nil {
		return err
	}
	defer plugin.Close()
	if r.stops(connected) {
		return nil
	}
	daemon, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: r.daemon, Net: "unix"})
	if err != nil {
		return err
	}
	defer daemon.Close()
	for _, frame := range []struct {
		from, to           *net.UnixConn
		before, half, over string
	}{
		{plugin, daemon, unheard, halfHeard, heard},
		{daemon, plugin, replied, halfAnswered, ""},
		{plugin, daemon, printed, "", confirmed},
	} {
		said, rights, err := receive(frame.from)
		if err != nil {
			return err
		}
		half := len(said) / 2
		if r.stops(frame.before) {
			return errors.Join(closeAll(rights))
		}
		if _, _, err := frame.to.WriteMsgUnix(said[:half], rights, nil); err != nil {
			return err
		}
		if err := closeAll(rights); err != nil {
			return err
		}
		if r.stops(frame.half) {
			return nil
		}
		if _, err := frame.to.Write(said[half:]); err != nil {
			return err
		}
		if r.stops(frame.over) {
			return nil
		}
	}
	return fmt.Errorf("no step %q", r.step)
}

// stops waits for the plugin's end if this is the step.
func (r *relay) stops(step string) bool {
	if step != r.step {
		return false
	}
	r.there <- nil
	<-r.gone
	return true
}

// frameHead is how long the head of a frame is, in bytes.
const frameHead = 12

// receive reads a frame, with the descriptors that come with it, as they came.
func receive(c *net.UnixConn) (said, rights []byte, err error) {
	buf, oob := make([]byte, 1<<16), make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := c.ReadMsgUnix(buf, oob)
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, nil, err
		}
		said = append(said, buf[:n]...)
		rights = append(rights, oob[:oobn]...)
		if len(said) < frameHead {
			continue
		}
		head, err := protocol.ParseHeader(said)
		if err != nil || len(said) >= frameHead+int(head.Length) {
			return said, rights, err
		}
	}
}

// closeAll closes descriptors that came with a frame.
func closeAll(rights []byte) error {
	messages, err := unix.ParseSocketControlMessage(rights)
	if len(rights) == 0 {
		return nil
	}
	for _, m := range messages {
		fds, failed := unix.ParseUnixRights(&m)
		err = errors.Join(err, failed)
		for _, fd := range fds {
			err = errors.Join(err, unix.Close(fd))
		}
	}
	return err
}

// pluginKilled runs a call until a step of the plugin's, where the plugin is killed.
func (h *host) pluginKilled(step, command string, p *lab.Pod) {
	h.t.Helper()
	r := h.relay(step)
	defer r.close()
	cmd := h.caller("moat-cni", command, entry(r.path), p)
	require.NoError(h.t, h.ns.Do(cmd.Start))
	err := <-r.there
	require.NoError(h.t, cmd.Process.Kill())
	_ = cmd.Wait()
	require.NoError(h.t, err, "to %q", step)
}
