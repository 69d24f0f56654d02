package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
)

// openRuns is how many plugins can have been asked for and not be over yet: the
// one that is waited for, and those before that were given up.
const openRuns = 32

var (
	errManyRuns = errors.New("the plugin's process ends none of those that it is to end")
	errTooSlow  = errors.New("it did not end within the call's time")
)

// callback is the client's end of a connection, as the daemon has it run plugins.
type callback struct {
	agent *Agent
	conn  *net.UnixConn

	one  chan struct{} // full while a plugin is waited for
	open int           // plugins that have not ended
	ran  chan protocol.Ran
	gone chan struct{} // closed when the client says no more
}

func newCallback(a *Agent, c *net.UnixConn) *callback {
	return &callback{agent: a, conn: c, one: make(chan struct{}, 1), ran: make(chan protocol.Ran, openRuns), gone: make(chan struct{})}
}

// listen takes what the client says. It returns nil when the client has said that
// its result reached the runtime, or an error when it closed the connection without.
func (b *callback) listen() error {
	defer close(b.gone)
	for {
		h, err := protocol.ReadHeader(b.conn)
		switch {
		case err != nil:
			return err
		case h.Kind == protocol.KindReceived:
			return nil
		case h.Kind != protocol.KindRan:
			return protocol.ErrFormat
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(b.conn, payload); err != nil {
			return err
		}
		ran, err := protocol.ParseRan(payload)
		if err != nil {
			return err
		}
		select {
		case b.ran <- ran:
		default:
			return fmt.Errorf("%w: more answers than questions", protocol.ErrFormat)
		}
	}
}

// run has the client run a plugin; one that still runs is ended by that. What is
// to be undone when the client is gone is run here.
func (b *callback) run(ctx context.Context, r protocol.Run) protocol.Ran {
	ran, err := b.ask(ctx, r)
	switch {
	case err == nil:
		return ran
	case errors.Is(err, errClientGone) && r.Env.Command == cniconf.Del:
		return b.agent.runHere(ctx, r)
	default:
		return protocol.Ran{Failure: &cniconf.Error{Code: cniconf.CodeTryAgain, Msg: fmt.Sprintf("plugin %q: %v", r.Plugin, err),
			Details: "the runtime may try again"}}
	}
}

// ask returns what became of the plugin, or errClientGone, or why it was not
// waited for any longer.
func (b *callback) ask(ctx context.Context, r protocol.Run) (protocol.Ran, error) {
	frame, err := protocol.RunFrame(r)
	if err != nil {
		return protocol.Ran{}, err
	}
	select {
	case b.one <- struct{}{}:
		defer func() { <-b.one }()
	case <-ctx.Done():
		return protocol.Ran{}, tooSlow(ctx)
	}
	select {
	case <-b.gone:
		return protocol.Ran{}, errClientGone
	default:
	}
	if b.open == openRuns {
		return protocol.Ran{}, errManyRuns
	}
	patience := time.Now().Add(replyTimeout)
	if end, has := ctx.Deadline(); has && end.Before(patience) {
		patience = end
	}
	if err := b.conn.SetWriteDeadline(patience); err != nil {
		return protocol.Ran{}, fmt.Errorf("%w: %w", errClientGone, err)
	}
	if _, err := b.conn.Write(frame); err != nil {
		return protocol.Ran{}, fmt.Errorf("%w: %w", errClientGone, err)
	}
	for b.open++; ; {
		select {
		case ran := <-b.ran:
			if b.open--; b.open == 0 {
				return ran, nil
			}
		case <-b.gone:
			return protocol.Ran{}, errClientGone
		case <-ctx.Done():
			return protocol.Ran{}, tooSlow(ctx)
		}
	}
}

// tooSlow says why a plugin is not waited for any longer.
func tooSlow(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return errTooSlow
}
