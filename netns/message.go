package netns

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// request is one rtnetlink message under construction: a fixed header such as
// ifinfomsg, and attributes. All integers are in the machine's byte order
// (rtnetlink(7)).
type request struct {
	kind  uint16
	flags uint16
	body  []byte
}

// changes says whether the request is none that only reads: the kinds of
// rtnetlink come in fours, of which RTM_GET is the third (linux/rtnetlink.h).
func (r *request) changes() bool { return r.kind&3 != 2 }

func align(n int) int { return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }

// bytesOf is the memory of a kernel structure. T must hold no pointers.
func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

func newRequest[T any](kind, flags uint16, header T) *request {
	r := &request{kind: kind, flags: flags}
	r.raw(bytesOf(&header))
	return r
}

func (r *request) raw(b []byte) {
	r.body = append(r.body, b...)
	r.body = append(r.body, make([]byte, align(len(r.body))-len(r.body))...)
}

func (r *request) attr(kind uint16, data []byte) *request {
	r.body = binary.NativeEndian.AppendUint16(r.body, uint16(unix.SizeofRtAttr+len(data)))
	r.body = binary.NativeEndian.AppendUint16(r.body, kind)
	r.raw(data)
	return r
}

func (r *request) text(kind uint16, s string) *request {
	return r.attr(kind, append([]byte(s), 0))
}

func (r *request) number(kind uint16, n uint32) *request {
	return r.attr(kind, binary.NativeEndian.AppendUint32(nil, n))
}

// nest adds an attribute that contains what fill adds.
func (r *request) nest(kind uint16, fill func()) *request {
	at := len(r.body)
	r.attr(kind|unix.NLA_F_NESTED, nil)
	fill()
	binary.NativeEndian.PutUint16(r.body[at:], uint16(len(r.body)-at))
	return r
}

// append adds the finished message to a datagram.
func (r *request) append(datagram []byte, seq uint32) []byte {
	h := unix.NlMsghdr{
		Len:   uint32(unix.SizeofNlMsghdr + len(r.body)),
		Type:  r.kind,
		Flags: r.flags | unix.NLM_F_REQUEST | unix.NLM_F_ACK,
		Seq:   seq,
	}
	datagram = append(datagram, bytesOf(&h)...)
	return append(datagram, r.body...)
}

// message is one message from the kernel.
type message struct {
	kind  uint16
	flags uint16
	seq   uint32
	body  []byte
}

// messages splits a datagram; what is cut off or malformed ends it.
func messages(datagram []byte) []message {
	var all []message
	for len(datagram) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(datagram))
		if size < unix.SizeofNlMsghdr || size > len(datagram) {
			return all
		}
		all = append(all, message{
			kind:  binary.NativeEndian.Uint16(datagram[4:]),
			flags: binary.NativeEndian.Uint16(datagram[6:]),
			seq:   binary.NativeEndian.Uint32(datagram[8:]),
			body:  datagram[unix.SizeofNlMsghdr:size],
		})
		datagram = datagram[min(align(size), len(datagram)):]
	}
	return all
}

// attributes reads the attributes after a fixed header of the given size.
func attributes(body []byte, header int) map[uint16][]byte {
	attrs := make(map[uint16][]byte)
	for rest := body[min(align(header), len(body)):]; len(rest) >= unix.SizeofRtAttr; {
		size := int(binary.NativeEndian.Uint16(rest))
		if size < unix.SizeofRtAttr || size > len(rest) {
			return attrs
		}
		kind := binary.NativeEndian.Uint16(rest[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		attrs[kind] = rest[unix.SizeofRtAttr:size]
		rest = rest[min(align(size), len(rest)):]
	}
	return attrs
}

func number(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}

func text(b []byte) string { return unix.ByteSliceToString(b) }
