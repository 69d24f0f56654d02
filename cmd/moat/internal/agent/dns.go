package agent

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/wishes"
	"github.com/moatnet/moat/sdn"
)

// dns is what a result says of name servers; nil: nothing.
type dns = types.DNS

// resolver is the DNS of a result: the first of pod, tenant and network that says
// anything, and the whole of it.
func (c *call) resolver(w wishes.Wishes, of sdn.TenantID, network func() (*dns, error)) (*dns, error) {
	if w.DNS != nil {
		return w.DNS, nil
	}
	if c.agent.dns != nil {
		d, path := c.agent.dns(of)
		got, err := resolver(fmt.Sprintf("tenants.%s.", of), d, path)
		if got != nil || err != nil {
			return got, err
		}
	}
	return network()
}

// maxResolvConf bounds the file that resolvConf names, in bytes.
const maxResolvConf = 64 << 10

// resolver is a DNS given in full, else what a file says that resolv.conf(5)
// describes; key stands before the keys dns and resolvConf.
func resolver(key string, d *dns, path string) (*dns, error) {
	if d != nil && !d.IsEmpty() {
		return d, checkServers(key, *d)
	}
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxResolvConf {
		err = fmt.Errorf("%s has %d bytes, at most %d are read", path, info.Size(), maxResolvConf)
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New(path + " is no file")
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, &cniconf.Error{Code: cniconf.CodeConfig, Msg: fmt.Sprintf("configuration: %sresolvConf: %v", key, err),
			Details: "name a file in the form of resolv.conf(5), on this node"}
	}
	got := parseResolvConf(string(b))
	return &got, nil
}

func checkServers(key string, d dns) error {
	for _, s := range d.Nameservers {
		if net.ParseIP(s) == nil {
			return wrong(key+"dns.nameservers", s, "IP addresses")
		}
	}
	return nil
}

// parseResolvConf reads what resolv.conf(5) says; of a keyword that may come
// once the last one counts.
func parseResolvConf(s string) (d dns) {
	for line := range strings.Lines(s) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "nameserver":
			d.Nameservers = append(d.Nameservers, f[1])
		case "domain":
			d.Domain = f[1]
		case "search":
			d.Search = f[1:]
		case "options":
			d.Options = append(d.Options, f[1:]...)
		}
	}
	return d
}
