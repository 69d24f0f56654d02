package wire

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/moatnet/moat/sdn"
)

// maxName is the greatest length of a name, in characters.
const maxName = 255

// check collects what is wrong with the properties of one body.
type check struct{ violations []sdn.Violation }

func (c *check) fail(property, format string, args ...any) {
	c.violations = append(c.violations, sdn.Violation{Property: property, Message: fmt.Sprintf(format, args...)})
}

// err is nil, or a *sdn.ValidationError.
func (c *check) err() error {
	if len(c.violations) == 0 {
		return nil
	}
	return &sdn.ValidationError{Violations: c.violations}
}

// parseID reads a UUID; null is the zero ID.
func parseID[T ~string](c *check, property string, v Text) T {
	if v == "" {
		return ""
	}
	id, err := sdn.ParseID[T](string(v))
	if err != nil {
		c.fail(property, "%q is not a UUID", clip(string(v)))
	}
	return id
}

func parseIDs[T ~string](c *check, property string, vs []Text) []T {
	if len(vs) == 0 {
		return nil
	}
	ids := make([]T, 0, len(vs))
	for _, v := range vs {
		if v == "" {
			c.fail(property, "holds null")
			continue
		}
		ids = append(ids, parseID[T](c, property, v))
	}
	return ids
}

func (c *check) name(v Text) string {
	if utf8.RuneCountInString(string(v)) > maxName {
		c.fail("name", "is longer than %d characters", maxName)
	}
	return string(v)
}

func (c *check) within(property string, v Int, low, high int64) int {
	if int64(v) < low || int64(v) > high {
		c.fail(property, "%d is not in %d..%d", v, low, high)
		return 0
	}
	return int(v)
}

// optional is within for a property that may be null.
func (c *check) optional(property string, v *Int, low, high int64) *int {
	if v == nil {
		return nil
	}
	n := c.within(property, *v, low, high)
	return &n
}

// ipv4 reads an IPv4 address; null is the zero Addr.
func (c *check) ipv4(property string, v Text) netip.Addr {
	if v == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(string(v))
	if err != nil || !a.Is4() {
		c.fail(property, "%q is not an IPv4 address", clip(string(v)))
		return netip.Addr{}
	}
	return a
}

// prefix joins an address and a length; without the address it is the zero
// Prefix, whatever the length. The host bits are kept.
func (c *check) prefix(address string, v Text, length string, bits Int) netip.Prefix {
	a, n := c.ipv4(address, v), c.within(length, bits, 0, 32)
	if !a.IsValid() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, n)
}

// mac reads a MAC address of six bytes into lower case with colons.
func (c *check) mac(property string, v Text) string {
	if v == "" {
		return ""
	}
	m, err := net.ParseMAC(string(v))
	if err != nil || len(m) != 6 || strings.Contains(string(v), ".") {
		c.fail(property, "%q is not a MAC address", clip(string(v)))
		return ""
	}
	return m.String()
}

// macMask reads a mask in the form "ffff.ffff.ffff".
func (c *check) macMask(property string, v Text) string {
	if v == "" {
		return ""
	}
	groups := strings.Split(string(v), ".")
	ok := len(groups) == 3
	for _, g := range groups {
		ok = ok && len(g) == 4 && strings.Trim(strings.ToLower(g), "0123456789abcdef") == ""
	}
	if !ok {
		c.fail(property, "%q is not of the form ffff.ffff.ffff", clip(string(v)))
		return ""
	}
	return strings.ToLower(string(v))
}

// need records a violation when a required property is null.
func (c *check) need(property string, v Text) {
	if v == "" {
		c.fail(property, "is required")
	}
}

// unserved is one property that MidoNet has and this engine does not realise.
type unserved struct {
	property string
	set      bool
}

// refuse returns an error that wraps sdn.ErrUnsupported and names the first
// property that is set, or nil.
func refuse(what string, props []unserved) error {
	for _, p := range props {
		if p.set {
			return fmt.Errorf("%s: property %q is %w", what, p.property, sdn.ErrUnsupported)
		}
	}
	return nil
}
