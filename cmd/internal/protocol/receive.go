package protocol

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

// Socket is the side of a connection that can hand out its descriptor and wait
// for it to be ready: a *net.UnixConn's SyscallConn.
type Socket interface {
	Read(ready func(fd uintptr) bool) error
}

// ReceiveRequest reads a request from a client's connection. The namespace in
// it belongs to the caller. A client of another version is an ErrVersion.
func ReceiveRequest(s Socket) (Request, error) {
	r := &receiver{socket: s, netns: NoNetns}
	request, err := r.request()
	if err != nil {
		r.drop()
		return Request{Netns: NoNetns}, err
	}
	return request, nil
}

type receiver struct {
	socket Socket
	netns  int
}

func (r *receiver) request() (Request, error) {
	head := make([]byte, headerSize)
	if err := r.fill(head); err != nil {
		return Request{}, fmt.Errorf("read request: %w", err)
	}
	h, err := ParseHeader(head)
	if err != nil {
		return Request{}, err
	}
	if h.Kind != KindRequest {
		return Request{}, fmt.Errorf("%w: kind %d is no request", ErrFormat, h.Kind)
	}
	payload := make([]byte, h.Length)
	if err := r.fill(payload); err != nil {
		return Request{}, fmt.Errorf("read request: %w", err)
	}
	request, err := parseRequest(payload)
	if err != nil {
		return Request{}, fmt.Errorf("decode request: %w", err)
	}
	request.Netns = r.netns
	return request, nil
}

// fill reads len(b) bytes, and a descriptor if one comes with them.
func (r *receiver) fill(b []byte) error {
	for len(b) > 0 {
		var n int
		var failed error
		err := r.socket.Read(func(fd uintptr) bool {
			n, failed = r.receive(int(fd), b)
			return !errors.Is(failed, syscall.EAGAIN)
		})
		if err := errors.Join(err, failed); err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		b = b[n:]
	}
	return nil
}

func (r *receiver) receive(fd int, b []byte) (int, error) {
	control := make([]byte, syscall.CmsgSpace(4))
	n, size, flags, _, err := syscall.Recvmsg(fd, b, control, syscall.MSG_CMSG_CLOEXEC)
	if err != nil || size == 0 {
		return n, err
	}
	descriptors, err := rights(control[:size])
	if err != nil {
		return n, err
	}
	if flags&syscall.MSG_CTRUNC != 0 || len(descriptors) > 1 || r.netns != NoNetns {
		for _, d := range descriptors {
			syscall.Close(d)
		}
		return n, fmt.Errorf("%w: more than one descriptor", ErrFormat)
	}
	if len(descriptors) == 1 {
		r.netns = descriptors[0]
	}
	return n, nil
}

func (r *receiver) drop() {
	if r.netns != NoNetns {
		syscall.Close(r.netns)
	}
}

// rights are the descriptors in a control message.
func rights(control []byte) ([]int, error) {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	var all []int
	for _, m := range messages {
		descriptors, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		all = append(all, descriptors...)
	}
	return all, nil
}
