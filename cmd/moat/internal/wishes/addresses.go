package wishes

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// readAddresses reads the list of addresses in each of its spellings.
func readAddresses(w *Wishes, t texts) error {
	var from text
	for _, spelling := range []struct {
		find func() (text, bool)
		read func(text) ([]Address, error)
	}{
		{func() (text, bool) { return t.own(keyIP) }, commaList},
		{func() (text, bool) { return t.older(olderIP) }, func(a text) ([]Address, error) { return masked(a, t) }},
		{func() (text, bool) { return t.older(calicoIPs) }, jsonList},
	} {
		found, ok := spelling.find()
		if !ok {
			continue
		}
		list, err := spelling.read(found)
		if err != nil {
			return err
		}
		if err := onePerFamily(found, list); err != nil {
			return err
		}
		if from.key == "" {
			w.Addresses, from = list, found
			continue
		}
		if !sameAddresses(w.Addresses, list) {
			return differ(from, found)
		}
	}
	w.AddressesFrom = from.key
	if mask, ok := t.older(olderNetmask); ok && from.key == "" {
		return mask.must("beside " + olderIP)
	}
	return nil
}

func sameAddresses(a, b []Address) bool {
	sorted := func(list []Address) (addrs []netip.Addr) {
		for _, a := range list {
			addrs = append(addrs, a.Addr)
		}
		slices.SortFunc(addrs, netip.Addr.Compare)
		return addrs
	}
	return slices.Equal(sorted(a), sorted(b))
}

func onePerFamily(from text, list []Address) error {
	v4 := 0
	for _, a := range list {
		if a.Is4() {
			v4++
		}
	}
	if v4 > 1 || len(list)-v4 > 1 {
		return from.must("at most one IPv4 and one IPv6 address: an interface gets one of each family")
	}
	return nil
}

// commaList reads "10.0.0.5, fd00::5/64".
func commaList(from text) (list []Address, err error) {
	for part := range strings.SplitSeq(from.value, ",") {
		a, err := withBits(from, strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// jsonList reads ["10.0.0.5"]. Calico's form is JSON, and nothing else.
func jsonList(from text) (list []Address, err error) {
	var parts []string
	if err := json.Unmarshal([]byte(from.value), &parts); err != nil || len(parts) == 0 {
		return nil, from.must(`a JSON list of addresses, such as ["10.0.0.5"]`)
	}
	for _, part := range parts {
		a, err := withBits(from, part)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// masked reads a list of kube-ipam, whose mask stands beside it and is of IPv4.
func masked(from text, t texts) ([]Address, error) {
	list, err := commaList(from)
	if err != nil {
		return nil, err
	}
	mask, ok := t.older(olderNetmask)
	if !ok {
		return list, nil
	}
	bits, err := maskBits(mask)
	if err != nil {
		return nil, err
	}
	for i, a := range list {
		switch {
		case !a.Is4():
		case a.Bits != 0 && a.Bits != bits:
			return nil, differ(from, mask)
		default:
			list[i].Bits = bits
		}
	}
	return list, nil
}

// maskBits reads 255.255.255.0, which has no hole.
func maskBits(from text) (int, error) {
	ip := net.ParseIP(from.value).To4()
	bits, size := 0, 0
	if ip != nil {
		bits, size = net.IPMask(ip).Size()
	}
	if size == 0 || bits == 0 {
		return 0, from.must("a mask of a subnet, such as 255.255.255.0")
	}
	return bits, nil
}

func withBits(from text, s string) (Address, error) {
	plain, length, has := strings.Cut(s, "/")
	addr, err := usable(plain)
	if err != nil {
		return Address{}, from.must(fmt.Sprintf("addresses of pods with commas between them, such as 10.0.0.5 or 10.0.0.5/24: %.*q: %v", longestQuote, s, err))
	}
	if !has {
		return Address{Addr: addr}, nil
	}
	p, err := netip.ParsePrefix(addr.String() + "/" + length)
	if err != nil || p.Bits() == 0 {
		return Address{}, from.must(fmt.Sprintf("an address with its subnet's length, 1 to %d, or without one", addr.BitLen()))
	}
	if first := p.Masked().Addr(); addr == first && p.Bits() < addr.BitLen()-1 {
		return Address{}, from.must(fmt.Sprintf("an address of a pod: %s is the subnet's own", addr))
	}
	return Address{Addr: addr, Bits: p.Bits()}, nil
}

func address(from text) (netip.Addr, error) {
	a, err := usable(from.value)
	if err != nil {
		return a, from.must("an IP address: " + err.Error())
	}
	return a, nil
}

// usable parses an address that an interface may have.
func usable(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return a, errors.New("it is no IP address")
	case a.Zone() != "":
		return a, errors.New("it has a zone")
	case a.Is4In6():
		return a, fmt.Errorf("it is IPv4 in IPv6, write %s", a.Unmap())
	case a.IsUnspecified(), a.IsLoopback(), a.IsMulticast(), a.IsLinkLocalUnicast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return a, errors.New("it is no address that a pod can have")
	}
	return a, nil
}
