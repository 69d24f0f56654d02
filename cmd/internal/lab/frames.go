package lab

import (
	"fmt"
	"net"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Wire is a packet(7) socket on one interface: it sends and sees whole Ethernet
// frames, whatever the namespace's own stack thinks of them.
type Wire struct {
	fd    int
	index int
}

// Tap opens a Wire on an interface inside the namespace.
func (n *Namespace) Tap(name string) (*Wire, error) {
	w := &Wire{}
	err := n.Do(func() error {
		ifi, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		all := htons(unix.ETH_P_ALL)
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all))
		if err != nil {
			return err
		}
		w.fd, w.index = fd, ifi.Index
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifi.Index})
	})
	if err != nil {
		return nil, fmt.Errorf("tap %s in %s: %w", name, n.Name, err)
	}
	return w, nil
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// Close closes the socket.
func (w *Wire) Close() error { return unix.Close(w.fd) }

// Send puts a frame on the wire.
func (w *Wire) Send(frame []byte) error {
	return unix.Sendto(w.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: w.index})
}

// SendInOrder puts frames on the wire by one processor, so that who hears the last
// one has heard all that come by.
func (w *Wire) SendInOrder(frames [][]byte) error {
	sent := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		var may, one unix.CPUSet
		err := unix.SchedGetaffinity(0, &may)
		for cpu := 0; err == nil && one.Count() == 0; cpu++ { // the first that this process may use
			if may.IsSet(cpu) {
				one.Set(cpu)
			}
		}
		if err == nil {
			err = unix.SchedSetaffinity(0, &one)
		}
		for i := 0; i < len(frames) && err == nil; i++ {
			err = w.Send(frames[i])
		}
		sent <- err
	}()
	return <-sent
}

// CollectUntil returns the frames that others sent, up to the one that is the
// last, and ErrNoAnswer when that does not come within the time.
func (w *Wire) CollectUntil(last func(frame []byte) bool, within time.Duration) ([][]byte, error) {
	var frames [][]byte
	for end := time.Now().Add(within); time.Now().Before(end); {
		more, err := w.Collect(20 * time.Millisecond)
		if err != nil {
			return nil, err
		}
		frames = append(frames, more...)
		if slices.ContainsFunc(more, last) {
			return frames, nil
		}
	}
	return frames, ErrNoAnswer
}

// Collect returns the frames that others sent, until the time is up: all that came by
// then, also when this process was not let run meanwhile.
func (w *Wire) Collect(during time.Duration) ([][]byte, error) {
	var frames [][]byte
	buf := make([]byte, 65536)
	for deadline := time.Now().Add(during); ; {
		left, flags := time.Until(deadline), 0
		if left < time.Microsecond { // shorter than the kernel counts, and 0 is for ever
			left, flags = time.Microsecond, unix.MSG_DONTWAIT
		}
		tv := unix.NsecToTimeval(left.Nanoseconds())
		if err := unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return nil, err
		}
		size, from, err := unix.Recvfrom(w.fd, buf, flags)
		if err == unix.EAGAIN && flags != 0 {
			return frames, nil
		}
		switch err {
		case nil:
		case unix.EAGAIN, unix.EINTR:
			continue
		default:
			return nil, err
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		frames = append(frames, append([]byte(nil), buf[:size]...))
	}
}
