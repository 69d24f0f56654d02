package client

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// asked is how long an answer asks to be left alone: in seconds or as a date,
// in the standard's spelling or in MidoNet's.
func asked(h http.Header, now time.Time) time.Duration {
	for _, name := range []string{"Retry-After", "RetryAfter"} {
		text := strings.TrimSpace(h.Get(name))
		if text == "" {
			continue
		}
		if n, err := strconv.Atoi(text); err == nil {
			return time.Duration(min(max(n, 0), int(maxRest/time.Second))) * time.Second
		}
		if at, err := http.ParseTime(text); err == nil {
			return min(max(at.Sub(now), 0), maxRest)
		}
	}
	return 0
}

// capped is how long to wait: what was asked for, or, when the caller's time
// ends before, three quarters of it, so that one more try is made.
func capped(ctx context.Context, d time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		if left := time.Until(deadline); left <= d {
			return left / 4 * 3
		}
	}
	return d
}

// linger is how long a write that is under way is waited for when its caller
// gives up. A server that has it would carry it out all the same, maybe after
// what the caller does next to take it back.
const linger = time.Second

// lingering is ctx for such a write: its deadline is kept, its cancellation
// comes later.
func lingering(ctx context.Context) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if deadline, ok := ctx.Deadline(); ok {
		cancel()
		later, cancel = context.WithDeadline(context.WithoutCancel(ctx), deadline)
	}
	stop := context.AfterFunc(ctx, func() {
		if sleep(later, linger) {
			cancel()
		}
	})
	return later, func() { stop(); cancel() }
}

// sleep waits and reports whether there is time left afterwards.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
