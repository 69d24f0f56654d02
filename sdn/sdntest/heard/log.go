package heard

import (
	"bytes"
	"log/slog"
	"sync"
)

// Log is what was written so far. Its zero value is empty, and its methods may be
// called at the same time.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends p; it never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Logger writes to l as text.
func (l *Log) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
