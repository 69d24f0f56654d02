package wishes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"unicode"

	"github.com/containernetworking/cni/pkg/types"
)

// readDNS reads the object dns of CNI, strictly.
func readDNS(w *Wishes, t texts) error {
	a, ok := t.shared(keyDNS)
	if !ok {
		return nil
	}
	const form = `an object such as {"nameservers":["10.96.0.10"],"search":["example.org"]}`
	d := json.NewDecoder(strings.NewReader(a.value))
	d.DisallowUnknownFields()
	var dns *types.DNS
	if err := d.Decode(&dns); err != nil || dns == nil {
		if err == nil {
			err = errors.New("it is null")
		}
		return a.must(fmt.Sprintf("%s: %.*s", form, longestQuote, err.Error()))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return a.must(form + ", with nothing behind it")
	}
	for _, s := range dns.Nameservers {
		if _, err := netip.ParseAddr(s); err != nil {
			return a.must(fmt.Sprintf("%s: name server %.*q is no IP address", form, longestQuote, s))
		}
	}
	for key, words := range map[string][]string{"domain": {dns.Domain}, "search": dns.Search, "options": dns.Options} {
		for _, word := range words {
			if strings.ContainsFunc(word, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
				return a.must(fmt.Sprintf("%s: %s has %.*q, which is not one word", form, key, longestQuote, word))
			}
		}
	}
	w.DNS = dns
	return nil
}
