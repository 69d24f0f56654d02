package netns

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// wires are the sockets into both namespaces of a pair; pod is nil where the pod's
// namespace is not known.
type wires struct {
	hostNS *os.File // nil: the caller's own
	host   *conn
	pod    *conn
	crier  *crier // nil: there is nothing to announce
	master *link  // the bridge; nil: none
}

func connect(v Veth) (wires, error) {
	var w wires
	var err error
	if w.hostNS, err = openNamespace(v.HostNS); err != nil {
		return wires{}, err
	}
	if w.host, err = dial(w.hostNS); err != nil {
		w.close()
		return wires{}, err
	}
	if v.PodNS == nil {
		return w, nil
	}
	if w.pod, err = dial(v.PodNS); err != nil {
		w.close()
		return wires{}, err
	}
	return w, nil
}

// close ends the use of both namespaces. The file of the host's is closed before it
// returns, since an open one keeps whoever unmounts the namespace from doing so;
// nobody waits for sockets to be freed.
func (w wires) close() {
	if w.hostNS != nil {
		w.hostNS.Close()
	}
	go w.closeSockets()
}

func (w wires) closeSockets() {
	if w.crier != nil {
		w.crier.close()
	}
	if w.pod != nil {
		w.pod.close()
	}
	if w.host != nil {
		w.host.close()
	}
}

// findMaster returns the bridge, or nil when there is to be none.
func findMaster(ctx context.Context, host *conn, name string) (*link, error) {
	if name == "" {
		return nil, nil
	}
	master, err := findLink(ctx, host, name)
	if err == nil && master == nil {
		err = unix.ENODEV
	}
	if err != nil {
		return nil, fmt.Errorf("bridge %s: %w", name, err)
	}
	return master, nil
}
