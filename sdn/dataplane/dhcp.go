package dataplane

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/dhcp"
	"github.com/moatnet/moat/sdn/plan"
)

// DHCPSocket hears the DHCP clients of one bridge. Only Interrupt may be called
// while another call is under way.
type DHCPSocket interface {
	// Receive returns the size of the next frame to a DHCP server.
	Receive(frame []byte) (int, error)
	// Interrupt ends a Receive that waits, and all later ones, with
	// os.ErrDeadlineExceeded.
	Interrupt() error
	// Send sends a frame to whom the bridge knows behind one of its ports, out of
	// that port. It passes no filter: it is the bridge's own.
	Send(to net.HardwareAddr, frame []byte) error
	Close() error
}

// responder answers the DHCP clients of one bridge. It keeps no state but what
// it is told, so that it may be ended and begun at any time.
type responder struct {
	space  int // the ID of the namespace that it is in
	index  int // of the bridge
	server atomic.Pointer[dhcp.Server]
	socket DHCPSocket
	done   chan struct{}
}

// dhcp begins and ends responders as it is wanted.
func (j *job) dhcp() error {
	s := j.space
	wanted := make(map[string]bool, len(j.want.DHCP))
	for _, d := range j.want.DHCP {
		l, ok := s.seen.links[d.Dev]
		if !ok {
			continue
		}
		wanted[d.Dev] = true
		server, err := serverOf(d)
		if err != nil {
			return err
		}
		if r := s.responders[d.Dev]; r != nil && r.index == l.Index && r.space == s.id {
			r.server.Store(server)
			continue
		}
		s.silence(d.Dev)
		socket, err := s.open.DHCPSocket(l.Index)
		if err != nil {
			return fmt.Errorf("answer DHCP on %s: %w", d.Dev, err)
		}
		r := &responder{space: s.id, index: l.Index, socket: socket, done: make(chan struct{})}
		r.server.Store(server)
		s.responders[d.Dev] = r
		go j.answer(s.name, d.Dev, r)
	}
	for dev := range s.responders {
		if !wanted[dev] {
			s.silence(dev)
		}
	}
	return nil
}

func serverOf(d plan.DHCPServer) (*dhcp.Server, error) {
	mac, err := net.ParseMAC(d.MAC)
	if err != nil {
		return nil, fmt.Errorf("answer DHCP on %s: %w", d.Dev, err)
	}
	return dhcp.New(mac, d.MTU, d.Subnets, d.Hosts), nil
}

// maxFrame is the size of the longest frame that a responder takes, in bytes.
const maxFrame = 2048

// pause is how long a responder rests after each frame: no pod can make the
// daemon work for more than a thousand frames a second, and what is too much is
// lost in the socket, of that bridge alone.
const pause = time.Millisecond

// answer answers until the responder's socket is interrupted.
func (e *Engine) answer(space, dev string, r *responder) {
	defer close(r.done)
	buf := make([]byte, maxFrame)
	for ; ; time.Sleep(pause) {
		n, err := r.socket.Receive(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case errors.Is(err, unix.ENETDOWN): // said once when the bridge goes down; it may come up
			continue
		case err != nil:
			e.log.Error("DHCP clients are not heard any more", "namespace", space, "bridge", dev, "err", err)
			return
		}
		reply, to, ok := r.server.Load().Answer(buf[:n])
		if !ok {
			continue
		}
		if err := r.socket.Send(to, reply); err != nil {
			e.log.Warn("DHCP client is not answered", "namespace", space, "bridge", dev, "mac", to, "err", err)
		}
	}
}

// silence ends the responder of a bridge, if there is one.
func (s *space) silence(dev string) {
	r := s.responders[dev]
	if r == nil {
		return
	}
	delete(s.responders, dev)
	_ = r.socket.Interrupt() // it fails for what is closed alone, and this one is closed below
	<-r.done
	_ = r.socket.Close()
}

// silenceAll ends those of all bridges.
func (s *space) silenceAll() {
	for dev := range s.responders {
		s.silence(dev)
	}
}
