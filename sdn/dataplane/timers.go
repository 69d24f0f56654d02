package dataplane

import (
	"sync"
	"time"
)

// alarm names what is to be done later: one thing of one namespace.
type alarm struct {
	space string
	what  string // retry, settle, suspect, orphan, or the interface that is awaited
}

// The alarms of a namespace as a whole.
const (
	retryAlarm   = "retry"
	settleAlarm  = "settle"
	suspectAlarm = "suspect"
	orphanAlarm  = "orphan"
)

// timers holds what is to be done later, each thing once.
type timers struct {
	mu      sync.Mutex
	stopped bool
	set     map[alarm]*time.Timer
}

func newTimers() *timers { return &timers{set: make(map[alarm]*time.Timer)} }

// after does f once d has passed, in place of what was to be done under that
// name. After stop it does nothing.
func (t *timers) after(a alarm, d time.Duration, f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel(a)
	t.start(a, d, f)
}

// within is like after, but what is to be done under that name already stays.
func (t *timers) within(a alarm, d time.Duration, f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.set[a] == nil {
		t.start(a, d, f)
	}
}

func (t *timers) start(a alarm, d time.Duration, f func()) {
	if t.stopped {
		return
	}
	var own *time.Timer
	own = time.AfterFunc(d, func() {
		t.mu.Lock()
		due := t.set[a] == own
		if due {
			delete(t.set, a)
		}
		t.mu.Unlock()
		if due {
			f()
		}
	})
	t.set[a] = own
}

// drop forgets what was to be done.
func (t *timers) drop(a alarm) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel(a)
}

func (t *timers) cancel(a alarm) {
	if own := t.set[a]; own != nil {
		own.Stop()
		delete(t.set, a)
	}
}

// pending counts what is to be done.
func (t *timers) pending() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.set)
}

// stop forgets everything, also what is asked for later.
func (t *timers) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	for a := range t.set {
		t.cancel(a)
	}
}
