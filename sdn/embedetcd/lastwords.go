package embedetcd

import (
	"log/slog"

	"go.uber.org/zap/zapcore"
)

// lastWords is a log of etcd's that passes on why etcd ends the process, as it does
// when its disk is full or broken, and nothing else.
type lastWords struct {
	to    *slog.Logger
	dir   string
	known []zapcore.Field
}

// Enabled implements zapcore.Core.
func (w lastWords) Enabled(l zapcore.Level) bool { return l >= zapcore.PanicLevel }

// With implements zapcore.Core.
func (w lastWords) With(fields []zapcore.Field) zapcore.Core {
	w.known = append(w.known[:len(w.known):len(w.known)], fields...)
	return w
}

// Check implements zapcore.Core.
func (w lastWords) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if w.Enabled(e.Level) {
		return to.AddCore(e, w)
	}
	return to
}

// Write implements zapcore.Core.
func (w lastWords) Write(e zapcore.Entry, fields []zapcore.Field) error {
	said := zapcore.NewMapObjectEncoder()
	for _, f := range append(w.known[:len(w.known):len(w.known)], fields...) {
		f.AddTo(said)
	}
	w.to.Error("the embedded etcd cannot go on and ends the daemon; pods that are attached go on: see to the disk and start the daemon anew",
		"etcd", e.Message, "dir", w.dir, "cause", said.Fields["error"])
	return nil
}

// Sync implements zapcore.Core.
func (w lastWords) Sync() error { return nil }
