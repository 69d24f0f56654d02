package nft

import (
	"fmt"
	"strings"
	"time"
)

// TypeFlow is the type of keys that tell one direction of a connection:
// addresses, protocol, ports.
const TypeFlow Type = "ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service"

// TypeFragment is the type of keys that tell the fragments of one datagram.
const TypeFragment Type = "ipv4_addr . ipv4_addr . inet_proto . inet_service"

// The types of keys that tell who sends: interface, MAC, address.
const (
	TypeSender  Type = "ifname . ether_addr"
	TypeSender4 Type = "ifname . ether_addr . ipv4_addr"
	TypeSender6 Type = "ifname . ether_addr . ipv6_addr"
)

// Tuple is several fields one after the other, as one key of a set.
type Tuple []Field

func (t Tuple) String() string {
	parts := make([]string, len(t))
	for i, f := range t {
		parts[i] = string(f)
	}
	return strings.Join(parts, " . ")
}

// Lookup asks whether a set holds the key.
type Lookup struct {
	Key Tuple
	Set string
}

// Update adds the key to a set with Room, or begins its time anew. Where there
// is no room left the rule ends here.
type Update struct {
	Key     Tuple
	Set     string
	Timeout time.Duration // whole milliseconds
}

// Remove takes the key out of a set with Room.
type Remove struct {
	Key Tuple
	Set string
}

func (Lookup) statement() {}
func (Update) statement() {}
func (Remove) statement() {}

func (l Lookup) String() string { return l.Key.String() + " @" + l.Set }

func (u Update) String() string {
	return fmt.Sprintf("update @%s { %s timeout %dms }", u.Set, u.Key, u.Timeout.Milliseconds())
}

func (r Remove) String() string { return fmt.Sprintf("delete @%s { %s }", r.Set, r.Key) }
