//go:build !crashpoints

package effect

// Do runs a step that changes something outside the process. what says in a few
// words what the step does; it is a constant.
func Do(_ Kind, _ string, step func() error) error { return step() }

// Undo runs what takes back something that was done: by a call that failed, by a
// process that died, or for a pod, a tenant or a port that is no more. what says in a
// few words what is taken back; it is a constant.
func Undo(_ string, undo func() error) error { return undo() }
