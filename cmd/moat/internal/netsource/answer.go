package netsource

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"unicode"

	"github.com/containernetworking/cni/pkg/utils"
)

// maxEntries bounds the networks of one pod.
const maxEntries = 32

// Entry is one network of a pod, as the source wants it.
type Entry struct {
	Network string
	IfName  string       // "" only for the master, whose name is the runtime's
	Master  bool         // its addresses are the pod's
	Address netip.Prefix // zero: whatever the network gives
	Gateway netip.Addr   // in Address's subnet; zero: none is named
	MAC     string       // "": whatever the network gives
	Routes  []netip.Prefix
}

// answer is what a source sends.
type answer struct {
	Code      *int            `json:"code"`
	ReqID     json.RawMessage `json:"reqId"`
	Message   string          `json:"message"`
	Namespace string          `json:"namespace"`
	Data      []rawEntry      `json:"data"`
}

type rawEntry struct {
	Type       string   `json:"type"`
	PodIP      string   `json:"podIp"`
	SubnetMask string   `json:"subnetMask"`
	Gateway    string   `json:"gateway"`
	IfName     string   `json:"ifName"`
	Master     bool     `json:"master"`
	MAC        string   `json:"mac"`
	Routes     []string `json:"routes"`
	Namespace  string   `json:"namespace"`
}

// parse reads an answer for a pod of the namespace. nil is an answer without
// networks.
func parse(body []byte, namespace string) ([]Entry, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, refuse("the answer cannot be read: %v", err)
	}
	switch {
	case a.Code == nil:
		return nil, refuse("the answer has no key code, which is 0 when all is well")
	case *a.Code != 0:
		return nil, refuse("it answered with code %d, message %.*q, request %.*s", *a.Code, longestQuote, a.Message, longestQuote, a.ReqID)
	case a.Namespace != "" && a.Namespace != namespace:
		return nil, wrong("namespace", a.Namespace, fmt.Sprintf("the pod's, which is %q", namespace))
	case len(a.Data) == 0:
		return nil, nil
	case len(a.Data) > maxEntries:
		return nil, refuse("data has %d networks, at most %d are taken", len(a.Data), maxEntries)
	}
	entries := make([]Entry, 0, len(a.Data))
	for i, raw := range a.Data {
		e, err := raw.valid(fmt.Sprintf("data[%d].", i), namespace)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, oneMaster(entries)
}

func oneMaster(entries []Entry) error {
	master := -1
	for i, e := range entries {
		switch {
		case e.Master && master >= 0:
			return refuse("data[%d] (%s) and data[%d] (%s) are both master, exactly one must be", master, entries[master].Network, i, e.Network)
		case e.Master:
			master = i
		}
	}
	if master < 0 {
		return refuse("none of the %d networks in data is master, exactly one must be", len(entries))
	}
	return nil
}

func (r rawEntry) valid(at, namespace string) (e Entry, err error) {
	e = Entry{Network: r.Type, IfName: r.IfName, Master: r.Master}
	switch {
	case utils.ValidateNetworkName(r.Type) != nil:
		return e, wrong(at+"type", r.Type, `a network's name: a letter or digit, then letters, digits, "_", "." and "-"`)
	case r.Namespace != "" && r.Namespace != namespace:
		return e, wrong(at+"namespace", r.Namespace, fmt.Sprintf("the pod's, which is %q", namespace))
	case (r.IfName != "" || !r.Master) && !isIfName(r.IfName):
		return e, wrong(at+"ifName", r.IfName, `an interface's name: 1 to 15 characters without "/", ":", "%", spaces and control characters, not lo`)
	}
	if e.Address, err = r.address(at); err != nil {
		return e, err
	}
	if e.Gateway, err = r.gateway(at, e.Address); err != nil {
		return e, err
	}
	if e.Routes, err = r.routes(at, e); err != nil || r.MAC == "" {
		return e, err
	}
	mac, err := net.ParseMAC(r.MAC)
	if err != nil || len(mac) != 6 || mac[0]&1 != 0 || mac.String() == "00:00:00:00:00:00" {
		return e, wrong(at+"mac", r.MAC, "a unicast address of six bytes")
	}
	e.MAC = mac.String()
	return e, nil
}

func isIfName(s string) bool {
	return utils.ValidateInterfaceName(s) == nil && s != "lo" && !strings.Contains(s, "%") && !strings.ContainsFunc(s, unicode.IsControl)
}

// address is podIp with the length of subnetMask, or with its own.
func (r rawEntry) address(at string) (none netip.Prefix, err error) {
	if r.PodIP == "" {
		if r.SubnetMask != "" || r.Gateway != "" {
			return none, refuse("%spodIp is missing, though subnetMask or gateway is given", at)
		}
		return none, nil
	}
	text, length, own := strings.Cut(r.PodIP, "/")
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() || !a.IsGlobalUnicast() {
		return none, wrong(at+"podIp", r.PodIP, "a unicast address")
	}
	p := netip.PrefixFrom(a, -1)
	if own {
		if p, err = netip.ParsePrefix(text + "/" + length); err != nil {
			return none, wrong(at+"podIp", r.PodIP, "an address with a prefix length")
		}
	}
	if r.SubnetMask != "" || !own {
		bits, ok := maskBits(r.SubnetMask)
		switch {
		case !ok || !a.Is4():
			return none, wrong(at+"subnetMask", r.SubnetMask, "a mask such as 255.255.255.0 or ffffff00 (an IPv6 podIp carries its length: fd00::5/64)")
		case own && p.Bits() != bits:
			return none, wrong(at+"subnetMask", r.SubnetMask, "that of podIp "+r.PodIP)
		}
		p = netip.PrefixFrom(a, bits)
	}
	if p.Bits() == 0 || a.Is4() && p.Bits() < 31 && (a == p.Masked().Addr() || a == broadcast(p)) {
		return none, wrong(at+"podIp", p, "an address of a host in its subnet")
	}
	return p, nil
}

func (r rawEntry) gateway(at string, p netip.Prefix) (none netip.Addr, err error) {
	if r.Gateway == "" {
		return none, nil
	}
	g, err := netip.ParseAddr(r.Gateway)
	if err != nil || !p.Contains(g) || g == p.Addr() {
		return none, wrong(at+"gateway", r.Gateway, fmt.Sprintf("another address of the subnet %s of podIp %s", p.Masked(), p.Addr()))
	}
	return g, nil
}

func (r rawEntry) routes(at string, e Entry) (all []netip.Prefix, err error) {
	for i, text := range r.Routes {
		p, err := netip.ParsePrefix(text)
		if err != nil || p != p.Masked() {
			return nil, wrong(fmt.Sprintf("%sroutes[%d]", at, i), text, "a subnet such as 10.0.0.0/8, without host bits")
		}
		if e.Address.IsValid() && e.Address.Addr().Is4() != p.Addr().Is4() {
			return nil, wrong(fmt.Sprintf("%sroutes[%d]", at, i), text, "of the family of podIp")
		}
		all = append(all, p)
	}
	return all, nil
}

// maskBits is the length of a mask, dotted or in eight hexadecimal digits.
func maskBits(s string) (bits int, ok bool) {
	m := net.IPMask(net.ParseIP(s).To4())
	if m == nil {
		if m = hexMask(s); m == nil {
			return 0, false
		}
	}
	ones, size := m.Size() // 0, 0 for what is no mask
	return ones, size == 32 && ones > 0
}

func hexMask(s string) net.IPMask {
	if len(s) != 8 {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

func broadcast(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}
