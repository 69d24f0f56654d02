package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/pool"
)

// DefaultCoolDown is how long an address of a pool rests before it is leased again.
const DefaultCoolDown = 60 * time.Second

// ipamConfig is the section "ipam" of a network configuration whose main plugin
// has moat-ipam make its addresses. What host-local knows is spelled as there.
type ipamConfig struct {
	Type       string         `json:"type"`
	Socket     string         `json:"socket"`
	Pool       string         `json:"pool"` // "": the network's name
	Ranges     [][]pool.Range `json:"ranges"`
	pool.Range                // the one range of older configurations
	Routes     []*types.Route `json:"routes"`
	DNS        types.DNS      `json:"dns"`
	ResolvConf string         `json:"resolvConf"`
	CoolDown   any            `json:"coolDown"` // a duration such as "60s"; "0" or 0 is none
}

// ipamCall is what an IPAM call asks for, checked.
type ipamCall struct {
	version string
	pool    string
	wish    ipam.Wish
	routes  []*types.Route
	dns     *dns
	gateway netip.Addr // that CNI_ARGS want; zero: none
	args    map[string]string

	askedFrom string // who asks for addresses, for messages; "": nobody
}

// CheckIPAM says what is wrong with a network configuration that has moat-ipam
// make its addresses.
func CheckIPAM(b []byte) error {
	_, err := parseIPAM(b, "")
	return err
}

// parseIPAM reads the configuration of an IPAM call. Keys outside the section
// are the main plugin's.
func parseIPAM(b []byte, args string) (ipamCall, error) {
	var raw struct {
		CNIVersion    string          `json:"cniVersion"`
		Name          string          `json:"name"`
		IPAM          json.RawMessage `json:"ipam"`
		RuntimeConfig struct {
			IPs      []string       `json:"ips"`
			IPRanges [][]pool.Range `json:"ipRanges"`
		} `json:"runtimeConfig"`
		Args struct {
			CNI requests `json:"cni"`
		} `json:"args"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return ipamCall{}, decodeError(err)
	}
	conf, err := strictIPAM(raw.IPAM)
	if err != nil {
		return ipamCall{}, err
	}
	c := ipamCall{version: raw.CNIVersion, pool: orElse(conf.Pool, raw.Name), routes: conf.Routes}
	if c.args, err = readArgs(args); err != nil {
		return c, err
	}
	if conf.Pool != "" && !ipam.ValidName(conf.Pool) {
		return c, wrong("ipam.pool", conf.Pool, "1 to 253 printable characters of ASCII without a slash")
	}
	if c.wish.CoolDown, err = conf.coolDown(); err != nil {
		return c, err
	}
	if c.wish.Sets, err = sets(append(raw.RuntimeConfig.IPRanges, conf.ranges()...)); err != nil {
		return c, err
	}
	wishes := ofRuntime(requests{IPs: raw.RuntimeConfig.IPs}, raw.Args.CNI, c.args)
	if c.wish.Asked, err = wishes.addresses(); err != nil {
		return c, err
	}
	if len(c.wish.Asked) > 0 {
		c.askedFrom = wishes.ipsFrom
	}
	if c.gateway, err = askedGateway(c.args); err != nil {
		return c, err
	}
	c.dns, err = resolver("ipam.", &conf.DNS, conf.ResolvConf)
	return c, err
}

// strictIPAM refuses unknown keys: a misspelt range would lease anything.
func strictIPAM(b []byte) (ipamConfig, error) {
	var c ipamConfig
	if len(b) == 0 {
		return c, wrong("ipam", "(none)", `an object with "type": "moat-ipam"`)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		code := cniconf.CodeDecode
		if strings.Contains(err.Error(), "unknown field") {
			code = cniconf.CodeUnsupported
		}
		return c, &cniconf.Error{Code: code, Msg: fmt.Sprintf("network configuration: ipam: %v", err), Details: `correct the section "ipam"`}
	}
	return c, nil
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (c ipamConfig) ranges() [][]pool.Range {
	if c.Subnet.IsValid() {
		return append([][]pool.Range{{c.Range}}, c.Ranges...)
	}
	return c.Ranges
}

func sets(ranges [][]pool.Range) ([]ipam.Set, error) {
	p, err := pool.New(ipam.KeyRanges, ranges)
	if err != nil {
		return nil, err
	}
	all := make([]ipam.Set, len(p.Sets))
	for i, s := range p.Sets {
		all[i] = s
	}
	return all, nil
}

func (c ipamConfig) coolDown() (time.Duration, error) {
	if c.CoolDown == nil {
		return DefaultCoolDown, nil
	}
	text := fmt.Sprint(c.CoolDown)
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, wrong("ipam.coolDown", text, `a duration such as "60s", or "0"`)
	}
	return d, nil
}
