package protocol

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
)

// Version of the protocol that this build speaks. 2 added the plugins that a
// daemon has run (KindRun): one that a plugin of version 1 would not run must not
// be left out in silence.
const Version = 2

// MaxPayload is the longest payload of a frame, in bytes: a GC list of a full node
// takes some hundred kB.
const MaxPayload = 8 << 20

const (
	headerSize = 12
	magic      = "MOAT"
)

// Kind is what a frame carries.
type Kind byte

// The kinds of frames.
const (
	KindRequest  Kind = 1
	KindResult   Kind = 2
	KindFailure  Kind = 3
	KindReceived Kind = 4
	KindRun      Kind = 5
	KindRan      Kind = 6
)

// The callers of the daemon.
const (
	CallerCNI  = "cni"
	CallerIPAM = "ipam"
)

var (
	// ErrVersion: the other side speaks another version of the protocol.
	ErrVersion = errors.New("protocol versions differ")
	// ErrFormat: the other side speaks no version of this protocol.
	ErrFormat = errors.New("not Moat's protocol")
	// ErrTooLong: a frame is longer than MaxPayload.
	ErrTooLong = errors.New("message too long")
)

// Request is one call of a CNI or IPAM plugin.
type Request struct {
	Caller  string // CallerCNI or CallerIPAM
	Env     cniconf.Env
	Config  []byte        // standard input, as it came
	Timeout time.Duration // the client gives up then
	// Netns is the descriptor of the pod's namespace; NoNetns when there is none.
	// It travels beside the payload.
	Netns int
}

// NoNetns stands for a request without a namespace.
const NoNetns = -1

// Reply is the daemon's answer: what the plugin prints, or the error.
type Reply struct {
	Result  []byte
	Failure *cniconf.Error
}

// Header is the first part of a frame.
type Header struct {
	Version byte
	Kind    Kind
	Length  int
}

// Frame joins a header of this version and a payload.
func Frame(kind Kind, payload []byte) ([]byte, error) {
	if len(payload) > MaxPayload {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLong, len(payload))
	}
	f := make([]byte, 0, headerSize+len(payload))
	f = append(f, magic...)
	f = append(f, Version, byte(kind), 0, 0)
	f = binary.BigEndian.AppendUint32(f, uint32(len(payload)))
	return append(f, payload...), nil
}

// ParseHeader reads a header of any version. A version other than ours is an
// ErrVersion that names both; h.Kind and h.Length hold all the same.
func ParseHeader(b []byte) (h Header, err error) {
	if len(b) < headerSize || string(b[:4]) != magic {
		return h, ErrFormat
	}
	h = Header{Version: b[4], Kind: Kind(b[5]), Length: int(binary.BigEndian.Uint32(b[8:]))}
	switch {
	case h.Length > MaxPayload:
		return h, fmt.Errorf("%w: %d bytes", ErrTooLong, h.Length)
	case h.Version != Version:
		return h, fmt.Errorf("%w: the other side speaks %d, this one %d", ErrVersion, h.Version, Version)
	}
	return h, nil
}

// ReadHeader reads the header of the next frame.
func ReadHeader(r io.Reader) (Header, error) {
	b := make([]byte, headerSize)
	if _, err := io.ReadFull(r, b); err != nil {
		return Header{}, fmt.Errorf("read header: %w", err)
	}
	return ParseHeader(b)
}

// ReplyFrame is the frame of a reply.
func ReplyFrame(r Reply) ([]byte, error) {
	if r.Failure == nil {
		return Frame(KindResult, r.Result)
	}
	payload, err := json.Marshal(r.Failure)
	if err != nil {
		return nil, fmt.Errorf("encode failure: %w", err)
	}
	return Frame(KindFailure, payload)
}

// ParseReply reads what follows the header of an answer.
func ParseReply(h Header, payload []byte) (Reply, error) {
	switch h.Kind {
	case KindResult:
		return Reply{Result: payload}, nil
	case KindFailure:
		var r Reply
		if err := json.Unmarshal(payload, &r.Failure); err != nil {
			return Reply{}, fmt.Errorf("decode failure: %w", err)
		}
		if r.Failure == nil {
			return Reply{}, fmt.Errorf("%w: an empty failure", ErrFormat)
		}
		return r, nil
	default:
		return Reply{}, fmt.Errorf("%w: kind %d is no answer", ErrFormat, h.Kind)
	}
}
