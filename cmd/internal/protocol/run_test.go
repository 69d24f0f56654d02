package protocol_test

import (
	"context"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
)

func order() protocol.Run {
	return protocol.Run{Plugin: "static", Timeout: time.Second, Config: []byte(`{"name":"n"}`),
		Env: cniconf.Env{Command: "ADD", ContainerID: "c1", Netns: "/n", IfName: "eth0", Args: "a=b", Path: "/p", NetnsOverride: "1"}}
}

// say sends a Run.
func say(t *testing.T, c net.Conn, r protocol.Run) {
	frame, err := protocol.RunFrame(r)
	require.NoError(t, err)
	_, err = c.Write(frame)
	require.NoError(t, err)
}

// hear reads the answer to a Run.
func hear(t *testing.T, c net.Conn) protocol.Ran {
	h, err := protocol.ReadHeader(c)
	require.NoError(t, err)
	require.Equal(t, protocol.KindRan, h.Kind)
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(c, payload)
	require.NoError(t, err)
	ran, err := protocol.ParseRan(payload)
	require.NoError(t, err)
	return ran
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, payload := range []string{"", "{", "[]", `{"status":"x"}`} {
		_, err := protocol.ParseRan([]byte(payload))
		require.ErrorIs(t, err, protocol.ErrFormat, payload)
	}
	for _, payload := range []string{"", "{}", "\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"} {
		_, err := protocol.ParseRun([]byte(payload))
		require.ErrorIs(t, err, protocol.ErrFormat, payload)
	}
}

func TestClientRefusesAnOrderThatIsNone(t *testing.T) {
	path := listen(t, func(c *net.UnixConn) {
		receive(t, c)
		c.Write([]byte("MOAT\x02\x05\x00\x00\x00\x00\x00\x02{}"))
	})
	_, err := dial(t, path, 5*time.Second).Call(t.Context(), protocol.Request{Netns: protocol.NoNetns}, nil)
	require.ErrorIs(t, err, protocol.ErrFormat)
}

func TestPluginsRunBeforeTheReply(t *testing.T) {
	path := listen(t, func(c *net.UnixConn) {
		receive(t, c)
		for range 2 {
			say(t, c, order())
			require.Equal(t, protocol.Ran{Stdout: []byte("ADD"), Status: 3}, hear(t, c))
		}
		frame, err := protocol.ReplyFrame(protocol.Reply{Result: []byte("{}")})
		require.NoError(t, err)
		c.Write(frame)
	})
	reply, err := dial(t, path, 5*time.Second).Call(t.Context(), protocol.Request{Netns: protocol.NoNetns},
		func(_ context.Context, r protocol.Run) protocol.Ran {
			require.Equal(t, order(), r)
			return protocol.Ran{Stdout: []byte(r.Env.Command), Status: 3}
		})
	require.NoError(t, err)
	require.Equal(t, "{}", string(reply.Result))
}

// A plugin that runs is ended by whatever the daemon says next, by its death, and
// when the client has waited long enough.
func TestWhatEndsAPlugin(t *testing.T) {
	for name, test := range map[string]struct {
		timeout time.Duration
		next    func(t *testing.T, c *net.UnixConn)
		want    error
	}{
		"another plugin": {20 * time.Second, func(t *testing.T, c *net.UnixConn) {
			another := order()
			another.Env.Command = "DEL"
			say(t, c, another)
			require.Equal(t, "ended", string(hear(t, c).Stdout))
			require.Equal(t, "DEL", string(hear(t, c).Stdout))
			frame, err := protocol.ReplyFrame(protocol.Reply{})
			require.NoError(t, err)
			c.Write(frame)
		}, nil},
		"the reply": {20 * time.Second, func(t *testing.T, c *net.UnixConn) {
			frame, err := protocol.ReplyFrame(protocol.Reply{})
			require.NoError(t, err)
			c.Write(frame)
			require.Equal(t, "ended", string(hear(t, c).Stdout))
		}, nil},
		"the daemon's death": {20 * time.Second, func(*testing.T, *net.UnixConn) {}, io.ErrUnexpectedEOF},
		"time":               {100 * time.Millisecond, func(t *testing.T, c *net.UnixConn) { hear(t, c) }, syscall.ETIMEDOUT},
	} {
		t.Run(name, func(t *testing.T) {
			running := make(chan struct{})
			path := listen(t, func(c *net.UnixConn) {
				receive(t, c)
				say(t, c, order())
				<-running
				test.next(t, c)
			})
			_, err := dial(t, path, test.timeout).Call(t.Context(), protocol.Request{Netns: protocol.NoNetns},
				func(ctx context.Context, r protocol.Run) protocol.Ran {
					if r.Env.Command == "DEL" {
						return protocol.Ran{Stdout: []byte("DEL")}
					}
					close(running)
					<-ctx.Done()
					return protocol.Ran{Stdout: []byte("ended")}
				})
			require.ErrorIs(t, err, test.want)
		})
	}
}

func FuzzRan(f *testing.F) {
	f.Add([]byte(`{"stdout":"e30=","status":1,"failure":{"code":7,"msg":"m"}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := protocol.ParseRan(payload)
		if err != nil {
			return
		}
		_, err = protocol.RanFrame(r)
		require.NoError(t, err)
	})
}
