package dataplane

import (
	"errors"
	"io/fs"
	"maps"
	"time"

	"github.com/moatnet/moat/sdn/effect"
)

// remove takes a namespace away that no device has any more, if it is this
// installation's.
func (j *job) remove() error {
	s := j.space
	err := error(nil)
	if s.open == nil {
		_, err = s.enter(j.kernel, "", false)
	}
	if errors.Is(err, fs.ErrNotExist) {
		j.forget()
		return j.removeFile()
	}
	if err != nil {
		return err
	}
	lo, _, err := s.open.Link("lo")
	if err != nil {
		return err
	}
	if !j.stamped(lo.Alias) {
		j.forget()
		return nil
	}
	if err := j.releaseGuests(); err != nil {
		return err
	}
	s.silenceAll()
	s.leave()
	err = effect.Undo("remove a namespace that no device has", func() error { return j.kernel.RemoveNamespace(s.name) })
	if err != nil {
		return err
	}
	j.report.Namespaces++
	j.forget()
	return nil
}

// removeFile removes the file where the namespace was, now or when it is old enough.
func (j *job) removeFile() error {
	name := j.space.name
	var left time.Duration
	err := effect.Undo("remove the empty file of a namespace", func() (err error) {
		left, err = j.kernel.RemoveFile(name, j.cfg.Grace)
		return err
	})
	if left > 0 {
		j.timers.within(alarm{name, orphanAlarm}, left, func() { j.queue.add(name, true) })
	}
	return err
}

// forget drops the memory of a namespace and of the ports that were in it.
func (j *job) forget() {
	j.space.silenceAll()
	j.space.leave()
	j.confirmOnly(nil)
	for name := range j.space.wanted {
		j.unwait(name)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	maps.DeleteFunc(j.byID, func(_ int, o *space) bool { return o == j.space })
	delete(j.spaces, j.space.name)
	delete(j.devices, j.space.name)
	j.space.wanted = nil
}
