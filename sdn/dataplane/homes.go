package dataplane

import (
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

// learn remembers whose home a namespace is.
func (e *Engine) learn(name string, d sdn.DeviceID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.devices[name] = d
}

// device finds the device whose home has that name, by memory or by search.
func (e *Engine) device(v sdn.View, name string) (sdn.DeviceID, bool) {
	e.mu.Lock()
	d, ok := e.devices[name]
	e.mu.Unlock()
	if ok {
		return d, true
	}
	for _, d := range plan.Homes(v) {
		if sdn.NamespaceName(d) == name {
			e.learn(name, d)
			return d, true
		}
	}
	return "", false
}
