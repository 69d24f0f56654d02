package protocol

import (
	"encoding/binary"
	"fmt"
	"time"
)

// The payload of a request is the timeout in nanoseconds, 8 bytes, and then the
// fields in their order, each as its length, 4 bytes, and itself; all numbers are
// big-endian. It is not JSON because a plugin, which lives for one call, would
// spend a tenth of its time on learning how to write that.

// fields are a request's texts in the order of the payload.
func (r *Request) fields() []*string {
	e := &r.Env
	return []*string{&r.Caller, &e.Command, &e.ContainerID, &e.Netns, &e.IfName, &e.Args, &e.Path, &e.NetnsOverride}
}

// requestFrame is the frame of a request.
func requestFrame(r Request) ([]byte, error) { return Frame(KindRequest, r.payload()) }

func (r *Request) payload() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(r.Timeout))
	for _, f := range r.fields() {
		b = appendField(b, *f)
	}
	return appendField(b, r.Config)
}

func appendField[T string | []byte](b []byte, f T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
	return append(b, f...)
}

// parseRequest reads what follows the header of a request.
func parseRequest(payload []byte) (r Request, err error) {
	if len(payload) < 8 {
		return r, fmt.Errorf("%w: a request of %d bytes", ErrFormat, len(payload))
	}
	r.Timeout = time.Duration(binary.BigEndian.Uint64(payload))
	payload = payload[8:]
	for _, f := range r.fields() {
		var text []byte
		if text, payload, err = cutField(payload); err != nil {
			return r, err
		}
		*f = string(text)
	}
	if r.Config, payload, err = cutField(payload); err != nil {
		return r, err
	}
	if len(payload) > 0 {
		return r, fmt.Errorf("%w: %d bytes after the request", ErrFormat, len(payload))
	}
	return r, nil
}

func cutField(b []byte) (field, rest []byte, err error) {
	if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
		return nil, nil, fmt.Errorf("%w: a field is cut off", ErrFormat)
	}
	end := 4 + int(binary.BigEndian.Uint32(b))
	return b[4:end], b[end:], nil
}
