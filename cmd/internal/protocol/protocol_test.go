package protocol_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
)

// listen is a daemon's socket; serve gets the one connection that it accepts.
func listen(t *testing.T, serve func(c *net.UnixConn)) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "moat")
	require.NoError(t, err)
	path = filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := l.AcceptUnix(); err == nil {
			defer c.Close()
			serve(c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		os.RemoveAll(dir)
	})
	return path
}

func receive(t *testing.T, c *net.UnixConn) (protocol.Request, error) {
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	return protocol.ReceiveRequest(raw)
}

func dial(t *testing.T, path string, timeout time.Duration) *protocol.Client {
	t.Helper()
	c, err := protocol.Dial(path, timeout)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func inode(t *testing.T, fd int) uint64 {
	var st syscall.Stat_t
	require.NoError(t, syscall.Fstat(fd, &st))
	return st.Ino
}

func TestCallCarriesEverything(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "larger than the socket's buffer": 3 << 20} {
		t.Run(name, func(t *testing.T) {
			file, err := os.CreateTemp(t.TempDir(), "netns")
			require.NoError(t, err)
			defer file.Close()
			config := []byte(`"` + strings.Repeat("x", size) + `"`)
			want := protocol.Request{Caller: protocol.CallerCNI, Timeout: time.Second, Config: config, Netns: int(file.Fd()),
				Env: cniconf.Env{Command: "ADD", ContainerID: "c1", Netns: "/n", IfName: "eth0", Args: "a=b", Path: "/p", NetnsOverride: "1"}}
			path := listen(t, func(c *net.UnixConn) {
				got, err := receive(t, c)
				require.NoError(t, err)
				defer syscall.Close(got.Netns)
				require.NotEqual(t, want.Netns, got.Netns)
				require.Equal(t, inode(t, want.Netns), inode(t, got.Netns))
				got.Netns = want.Netns
				require.Equal(t, want, got)
				frame, err := protocol.ReplyFrame(protocol.Reply{Result: config})
				require.NoError(t, err)
				_, err = c.Write(frame)
				require.NoError(t, err)
				h, err := protocol.ReadHeader(c)
				require.NoError(t, err)
				require.Equal(t, protocol.KindReceived, h.Kind)
			})
			client := dial(t, path, 5*time.Second)
			reply, err := client.Call(t.Context(), want, nil)
			require.NoError(t, err)
			require.Nil(t, reply.Failure)
			require.Equal(t, config, reply.Result)
			require.NoError(t, client.Received())
		})
	}
}

func TestFailureArrivesWhole(t *testing.T) {
	want := &cniconf.Error{CNIVersion: "1.0.0", Code: 102, Msg: "full", Details: "enlarge"}
	path := listen(t, func(c *net.UnixConn) {
		got, err := receive(t, c)
		require.NoError(t, err)
		require.Equal(t, protocol.NoNetns, got.Netns)
		frame, err := protocol.ReplyFrame(protocol.Reply{Failure: want})
		require.NoError(t, err)
		c.Write(frame)
	})
	reply, err := dial(t, path, 5*time.Second).Call(t.Context(), protocol.Request{Config: []byte("{}"), Netns: protocol.NoNetns}, nil)
	require.NoError(t, err)
	require.Equal(t, want, reply.Failure)
}

func TestClientReportsABrokenDaemon(t *testing.T) {
	request := protocol.Request{Config: []byte("{}"), Netns: protocol.NoNetns}
	for name, test := range map[string]struct {
		answer string
		want   error
	}{
		"closes at once":          {"", io.ErrUnexpectedEOF},
		"closes within a header":  {"MOAT\x02", io.ErrUnexpectedEOF},
		"closes within a payload": {"MOAT\x02\x02\x00\x00\x00\x00\x00\x09{}", io.ErrUnexpectedEOF},
		"another protocol":        {"HTTP/1.1 400 Bad Request\r\n", protocol.ErrFormat},
		"another version":         {"MOAT\x03\x02\x00\x00\x00\x00\x00\x00", protocol.ErrVersion},
		"too long":                {"MOAT\x02\x02\x00\x00\xff\xff\xff\xff", protocol.ErrTooLong},
		"answers with a request":  {"MOAT\x02\x01\x00\x00\x00\x00\x00\x00", protocol.ErrFormat},
		"a failure that is none":  {"MOAT\x02\x03\x00\x00\x00\x00\x00\x04null", protocol.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			path := listen(t, func(c *net.UnixConn) {
				receive(t, c)
				c.Write([]byte(test.answer))
			})
			_, err := dial(t, path, 5*time.Second).Call(t.Context(), request, nil)
			require.ErrorIs(t, err, test.want)
		})
	}
	t.Run("never answers", func(t *testing.T) {
		path := listen(t, func(c *net.UnixConn) { io.Copy(io.Discard, c) })
		client := dial(t, path, 50*time.Millisecond)
		_, err := client.Call(t.Context(), request, nil)
		require.ErrorIs(t, err, syscall.ETIMEDOUT)
		client.Close()
	})
	t.Run("not there", func(t *testing.T) {
		_, err := protocol.Dial("/nowhere/s", time.Second)
		require.ErrorIs(t, err, syscall.ENOENT)
	})
	t.Run("too much to send", func(t *testing.T) {
		_, err := protocol.Frame(protocol.KindRequest, make([]byte, protocol.MaxPayload+1))
		require.ErrorIs(t, err, protocol.ErrTooLong)
	})
}

// A request that is refused keeps no descriptor that came with it.
func TestReceiveRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		sent        string
		descriptors int
		want        error
	}{
		"nothing":                 {"", 0, io.ErrUnexpectedEOF},
		"another protocol":        {"GET / HTTP/1.1\r\n", 1, protocol.ErrFormat},
		"another version":         {"MOAT\x07\x01\x00\x00\x00\x00\x00\x00", 1, protocol.ErrVersion},
		"a result":                {"MOAT\x02\x02\x00\x00\x00\x00\x00\x00", 1, protocol.ErrFormat},
		"no request":              {"MOAT\x02\x01\x00\x00\x00\x00\x00\x02xx", 1, protocol.ErrFormat},
		"too long":                {"MOAT\x02\x01\x00\x00\x7f\xff\xff\xff", 1, protocol.ErrTooLong},
		"cut off":                 {"MOAT\x02\x01\x00\x00\x00\x00\x00\x09{}", 1, io.ErrUnexpectedEOF},
		"more than one namespace": {"MOAT\x02\x01\x00\x00\x00\x00\x00\x02{}", 3, protocol.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			before := descriptors(t)
			failed := make(chan error, 1)
			path := listen(t, func(c *net.UnixConn) {
				_, err := receive(t, c)
				failed <- err
			})
			c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
			require.NoError(t, err)
			fds := []int{}
			for range test.descriptors {
				fds = append(fds, 0)
			}
			var control []byte
			if len(fds) > 0 {
				control = syscall.UnixRights(fds...)
			}
			if test.sent != "" {
				_, _, err = c.WriteMsgUnix([]byte(test.sent), control, nil)
				require.NoError(t, err)
			}
			require.NoError(t, c.CloseWrite())
			require.ErrorIs(t, <-failed, test.want)
			c.Close()
			require.Eventually(t, func() bool { return descriptors(t) <= before+1 }, time.Second, time.Millisecond, "+1: the listener")
		})
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

func FuzzParseHeader(f *testing.F) {
	f.Add([]byte("MOAT\x02\x01\x00\x00\x00\x00\x00\x02"))
	f.Add([]byte("MOAT\x03\x01\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := protocol.ParseHeader(b)
		if err == nil {
			require.LessOrEqual(t, h.Length, protocol.MaxPayload)
			return
		}
		require.True(t, errors.Is(err, protocol.ErrFormat) || errors.Is(err, protocol.ErrVersion) || errors.Is(err, protocol.ErrTooLong))
		require.False(t, errors.Is(err, protocol.ErrVersion) && !bytes.HasPrefix(b, []byte("MOAT")))
	})
}
