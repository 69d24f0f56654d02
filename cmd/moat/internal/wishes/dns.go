package wishes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

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
		return a.must(form + ": " + err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return a.must(form + ", with nothing behind it")
	}
	for _, s := range dns.Nameservers {
		if _, err := netip.ParseAddr(s); err != nil {
			return a.must(fmt.Sprintf("%s: name server %q is no IP address", form, s))
		}
	}
	w.DNS = dns
	return nil
}
