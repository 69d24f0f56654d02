package client

import (
	"sync"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// maxKinds is of how many devices the kind is remembered.
const maxKinds = 10_000

// kinds remembers in which collection a device lies, which its ID does not
// tell, so that its ports are asked for in one request.
type kinds struct {
	mu sync.Mutex
	of map[sdn.DeviceID]string
}

func (k *kinds) learn(id sdn.DeviceID, collection string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of == nil || len(k.of) >= maxKinds {
		k.of = make(map[sdn.DeviceID]string)
	}
	k.of[id] = collection
}

func (k *kinds) forget(id sdn.DeviceID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.of, id)
}

// guesses lists the collections to look for a device in, the likely one first.
func (k *kinds) guesses(id sdn.DeviceID) [2]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of[id] == wire.Routers {
		return [2]string{wire.Routers, wire.Bridges}
	}
	return [2]string{wire.Bridges, wire.Routers}
}
