package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/sdn/effect"
	"github.com/moatnet/moat/tenant"
)

const (
	// requestTimeout is how long a plugin may take to send its request.
	requestTimeout = 5 * time.Second
	// replyTimeout is how long a plugin may take to read the reply, and then to
	// say that it printed it.
	replyTimeout = 10 * time.Second
)

var errClientGone = errors.New("the plugin is gone: the runtime gave up or was stopped")

// serve does the one call of a connection. The call ends with ctx, and undoing
// what became of it with undoing.
func (a *Agent) serve(ctx, undoing context.Context, c *net.UnixConn) {
	defer c.Close()
	request, failure := a.accept(c)
	if failure != nil {
		a.log.Warn("refused a CNI call", "code", failure.Code, "cause", failure.Msg)
		if err := write(c, protocol.Reply{Failure: failure}); err != nil {
			a.log.Debug("refuse a CNI call", "error", err)
		}
		return
	}
	call, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	received := make(chan error, 1)
	client := newCallback(a, c)
	go func() {
		err := client.listen()
		if err != nil && request.Env.Command == cniconf.Add {
			cancel(errClientGone)
		}
		received <- err
	}()
	limited, over := context.WithTimeout(call, a.limit(request))
	defer over()
	start := time.Now()
	turn := a.turns.begin(limited, request)
	defer a.turns.end(turn)
	reply, left := a.handle(limited, request, client.run, a.limit(request))
	err := errors.Join(write(c, reply), c.SetReadDeadline(time.Now().Add(replyTimeout)))
	a.report(request, reply, time.Since(start))
	if err == nil {
		err = <-received
	} else {
		c.Close()
		<-received
	}
	left.run(undoing)
	if err != nil && reply.Failure == nil {
		a.turns.undo(turn, func() { a.lost(undoing, request, client.run, err) })
	}
}

// lost undoes an ADD whose result the runtime never saw. A plugin that is alive
// but slow is given the benefit of the doubt.
func (a *Agent) lost(ctx context.Context, r protocol.Request, run protocol.Runner, cause error) {
	if timeout := net.Error(nil); errors.As(cause, &timeout) && timeout.Timeout() {
		a.log.Warn("the plugin did not confirm its result", "call", r.Env.Subject())
		return
	}
	if err := effect.Undo("undo an ADD whose result was lost", func() error { return a.Undo(ctx, r, run) }); err != nil {
		a.log.Error("undo an ADD whose result was lost", "call", r.Env.Subject(), "error", err)
	}
}

// accept checks the caller and reads its request.
func (a *Agent) accept(c *net.UnixConn) (protocol.Request, *cniconf.Error) {
	if failure := authorise(c); failure != nil {
		return protocol.Request{}, failure
	}
	if err := c.SetReadDeadline(time.Now().Add(requestTimeout)); err != nil {
		return protocol.Request{}, ioFailure(err)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return protocol.Request{}, ioFailure(err)
	}
	request, err := protocol.ReceiveRequest(raw)
	if errors.Is(err, protocol.ErrVersion) {
		return request, &cniconf.Error{CNIVersion: cniconf.Current, Code: cniconf.CodeTryAgain, Msg: err.Error(),
			Details: "install moat and its plugins of one release, then restart the daemon"}
	}
	if err != nil {
		return request, ioFailure(err)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		closeNetns(request)
		return request, ioFailure(err)
	}
	return request, nil
}

func ioFailure(err error) *cniconf.Error {
	return &cniconf.Error{CNIVersion: cniconf.Current, Code: cniconf.CodeIO, Msg: err.Error(),
		Details: "the daemon could not read the plugin's request"}
}

// authorise lets root call, and nobody else (SO_PEERCRED: the user who connected).
func authorise(c *net.UnixConn) *cniconf.Error {
	raw, err := c.SyscallConn()
	if err != nil {
		return ioFailure(err)
	}
	var peer *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return ioFailure(err)
	}
	if peer.Uid != 0 {
		return &cniconf.Error{CNIVersion: cniconf.Current, Code: cniconf.Code(tenant.CodeTenantDenied),
			Msg:     fmt.Sprintf("user %d may not make CNI calls", peer.Uid),
			Details: "container runtimes call plugins as root"}
	}
	return nil
}

func write(c *net.UnixConn, r protocol.Reply) error {
	frame, err := protocol.ReplyFrame(r)
	if err != nil {
		return err
	}
	if err := c.SetWriteDeadline(time.Now().Add(replyTimeout)); err != nil {
		return err
	}
	_, err = c.Write(frame)
	return err
}
