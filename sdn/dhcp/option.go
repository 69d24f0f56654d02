package dhcp

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/moatnet/moat/sdn"
)

// nextServer stands for the field siaddr of a message, which is no option.
const nextServer = 0

// maxValue is the length of one option's value, in bytes.
const maxValue = 255

// form is how the value of an option is written.
type form int

const (
	formFree    form = iota // addresses, "0x" and hexadecimal digits, or a text
	formText                // a text
	formAddress             // an address
	formList                // addresses, with commas
	formFlag                // true or false, 1 or 0
	formUint8
	formUint16
	formUint32
	formRoutes // prefix,gateway pairs, with commas
)

// known are the options that have a name, by IANA's numbers ("BOOTP Vendor
// Extensions and DHCP Options"), under the names that dnsmasq(8) and Neutron use.
var known = map[string]struct {
	code uint8
	form form
}{
	"server-ip-address": {nextServer, formAddress},

	"netmask": {1, formAddress}, "time-offset": {2, formUint32}, "router": {3, formList}, "time-server": {4, formList},
	"dns-server": {6, formList}, "log-server": {7, formList}, "lpr-server": {9, formList}, "hostname": {12, formText},
	"host-name": {12, formText}, "boot-file-size": {13, formUint16}, "domain-name": {15, formText}, "swap-server": {16, formAddress},
	"root-path": {17, formText}, "extension-path": {18, formText}, "ip-forward-enable": {19, formFlag},
	"non-local-source-routing": {20, formFlag}, "policy-filter": {21, formList}, "max-datagram-reassembly": {22, formUint16},
	"default-ttl": {23, formUint8}, "mtu": {26, formUint16}, "interface-mtu": {26, formUint16}, "all-subnets-local": {27, formFlag},
	"broadcast": {28, formAddress}, "router-discovery": {31, formFlag}, "router-solicitation": {32, formAddress},
	"static-route": {33, formList}, "trailer-encapsulation": {34, formFlag}, "arp-timeout": {35, formUint32},
	"ethernet-encap": {36, formFlag}, "tcp-ttl": {37, formUint8}, "tcp-keepalive": {38, formUint32}, "nis-domain": {40, formText},
	"nis-server": {41, formList}, "ntp-server": {42, formList}, "vendor-encap": {43, formFree}, "netbios-ns": {44, formList},
	"netbios-dd": {45, formList}, "netbios-nodetype": {46, formUint8}, "netbios-scope": {47, formText},
	"x-windows-fs": {48, formList}, "x-windows-dm": {49, formList}, "vendor-class": {60, formText}, "nis+-domain": {64, formText},
	"nis+-server": {65, formList}, "tftp-server": {66, formText}, "bootfile-name": {67, formText}, "mobile-ip-home": {68, formList},
	"smtp-server": {69, formList}, "pop3-server": {70, formList}, "nntp-server": {71, formList}, "irc-server": {74, formList},
	"classless-static-route": {121, formRoutes}, "tftp-server-address": {150, formList},
}

// reserved says whether an option is the protocol's own, or the server's: lease
// times of less than an hour would make a restart be noticed.
func reserved(code uint8) bool {
	switch code {
	case 0, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 82, 255:
		return true
	}
	return false
}

// CheckHost returns an error for options that cannot be sent: it wraps
// sdn.ErrUnsupported for one that is not known or not free, and sdn.ErrInvalid
// for a value that is not of the option's form.
func CheckHost(h sdn.DHCPHost) error {
	if _, err := options(h.Options); err != nil {
		return fmt.Errorf("DHCP host %s: extraDhcpOpts: %w", h.MAC, err)
	}
	return nil
}

// options are those of a list that can be sent, with the first reason why others
// cannot.
func options(list []sdn.DHCPOption) (out []dhcpv4.Option, first error) {
	for _, o := range list {
		one, err := encode(o)
		if err == nil {
			out = append(out, one)
		} else if first == nil {
			first = err
		}
	}
	return out, first
}

func encode(o sdn.DHCPOption) (dhcpv4.Option, error) {
	code, as, err := lookup(o.Name)
	if err != nil {
		return dhcpv4.Option{}, err
	}
	value, err := as.encode(strings.TrimSpace(o.Value))
	if err != nil {
		return dhcpv4.Option{}, fmt.Errorf("option %q: value %q: %s: %w", o.Name, o.Value, err, sdn.ErrInvalid)
	}
	if len(value) == 0 || len(value) > maxValue {
		return dhcpv4.Option{}, fmt.Errorf("option %q: value of %d bytes, not 1 to %d: %w", o.Name, len(value), maxValue, sdn.ErrInvalid)
	}
	return dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(code), value), nil
}

// lookup finds an option by its name or number.
func lookup(name string) (uint8, form, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if o, ok := known[name]; ok {
		return o.code, o.form, nil
	}
	n, err := strconv.ParseUint(name, 10, 8)
	if err != nil {
		return 0, 0, fmt.Errorf("option %q: no such option: %w", name, sdn.ErrUnsupported)
	}
	code := uint8(n)
	if reserved(code) {
		return 0, 0, fmt.Errorf("option %q: it is the server's own: %w", name, sdn.ErrUnsupported)
	}
	for _, o := range known {
		if o.code == code {
			return code, o.form, nil
		}
	}
	return code, formFree, nil
}

func (f form) encode(text string) ([]byte, error) {
	switch f {
	case formText:
		return []byte(text), nil
	case formAddress:
		a, err := address(text)
		return a.AsSlice(), err
	case formList:
		return addresses(text)
	case formFlag:
		on, err := strconv.ParseBool(text)
		if on {
			return []byte{1}, err
		}
		return []byte{0}, err
	case formUint8:
		n, err := strconv.ParseUint(text, 0, 8)
		return []byte{byte(n)}, err
	case formUint16:
		n, err := strconv.ParseUint(text, 0, 16)
		return binary.BigEndian.AppendUint16(nil, uint16(n)), err
	case formUint32:
		n, err := strconv.ParseUint(text, 0, 32)
		return binary.BigEndian.AppendUint32(nil, uint32(n)), err
	case formRoutes:
		return routes(text)
	}
	return free(text)
}

func free(text string) ([]byte, error) {
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		return hex.DecodeString(digits)
	}
	if list, err := addresses(text); err == nil {
		return list, nil
	}
	return []byte(text), nil
}

func address(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	if err == nil && !a.Is4() {
		err = fmt.Errorf("%s is not IPv4", a)
	}
	return a, err
}

func addresses(text string) ([]byte, error) {
	var out []byte
	for _, part := range strings.Split(text, ",") {
		a, err := address(part)
		if err != nil {
			return nil, err
		}
		out = append(out, a.AsSlice()...)
	}
	return out, nil
}

func routes(text string) ([]byte, error) {
	parts := strings.Split(text, ",")
	if len(parts)%2 != 0 {
		return nil, fmt.Errorf("%d parts are no pairs of prefix and gateway", len(parts))
	}
	var list []sdn.DHCPRoute
	for i := 0; i < len(parts); i += 2 {
		dst, err := netip.ParsePrefix(strings.TrimSpace(parts[i]))
		if err == nil && !dst.Addr().Is4() {
			err = fmt.Errorf("%s is not IPv4", dst)
		}
		if err != nil {
			return nil, err
		}
		gateway, err := address(parts[i+1])
		if err != nil {
			return nil, err
		}
		list = append(list, sdn.DHCPRoute{Dst: dst, Gateway: gateway})
	}
	return staticRoutes(list).ToBytes(), nil
}
