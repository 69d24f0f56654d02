package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/moatnet/moat/sdn"
)

// ApplicationV4 is a type of the root that 1.9 has and 5.x has not.
const ApplicationV4 = vendor + "Application-v4+json"

// formsV1 lists, newest first, the media types of 1.9 for those of 5.x that it
// has under another version, or under several.
var formsV1 = map[string][]string{
	"Application-v5": {"Application-v5", "Application-v4"},
	"SystemState-v2": {"SystemState-v2", "SystemState-v1"},
	"Tenant-v2":      {"Tenant-v1"},
	"Router-v3":      {"Router-v2", "Router-v1"},
	"Bridge-v4":      {"Bridge-v3", "Bridge-v2", "Bridge-v1"},
	"Bridge-v5":      {"Bridge-v3", "Bridge-v2", "Bridge-v1"},
	"Port-v3":        {"Port-v2", "Port-v1"},
	"Port-v4":        {"Port-v2", "Port-v1"},
	"Rule-v2":        {"Rule-v2", "Rule-v1"},
	"Host-v3":        {"Host-v3", "Host-v2"},
	"DhcpSubnet-v2":  {"DhcpSubnet-v2", "DhcpSubnet-v1"},
	"DhcpHost-v2":    {"DhcpHost-v2", "DhcpHost-v1"},
	"VTEP-v2":        {"VTEP-v1"},
}

// since5 lists the media types of resources that 1.9 does not have.
var since5 = []string{
	"BgpNetwork-v1", "BgpPeer-v1", "L2Insertion-v1", "MacIp-v1", "Mirror-v1", "QOSPolicy-v1",
	"QOSRuleBWLimit-v1", "QOSRuleDSCP-v1", "ServiceContainer-v1", "ServiceContainerGroup-v1",
}

// properties is a JSON object, property by property.
type properties map[string]json.RawMessage

// form is how a media type of 1.9 shows what 5.x shows.
type form struct {
	// lacks are the properties of 5.x that carry something of their own and
	// are missing here; of drops the same holds, but nobody minds their loss.
	lacks, drops []string
	// hides are those missing here that follow from others, or only lead on.
	hides []string
	// nonzero are those whose 0 means that nobody set them.
	nonzero []string
	// show turns what is left of the object of 5.x into this one, read does it
	// the other way round.
	show, read func(properties) error
}

// The properties that only 5.x has.
var (
	router5 = []string{"localRedirectChainId", "forwardChainId", "asNumber", "inboundMirrorIds", "outboundMirrorIds"}
	bridge5 = []string{"inboundMirrorIds", "outboundMirrorIds", "qosPolicyId"}
	port5   = []string{"inboundMirrorIds", "outboundMirrorIds", "postInFilterMirrorIds", "preOutFilterMirrorIds",
		"insertionIds", "qosPolicyId", "rtrPortVni", "offRampVxlan", "serviceContainerId"}
	rule5 = []string{"inPortGroup", "outPortGroup", "traversedDevice", "noVlan", "vlan",
		"icmpDataSrcIpAddress", "icmpDataSrcIpLength", "icmpDataDstIpAddress", "icmpDataDstIpLength", "matchNwDstRewritten"}
	portOwn = []string{"senders"} // Moat's own
	host5   = []string{"containerWeight", "containerLimit", "enforceContainerLimit"}

	router5Links = []string{"localRedirectChain", "forwardChain", "bgpNetworks", "bgpPeers"}
	port5Links   = []string{"portSubnet", "bgpStatus", "peeringTable", "serviceContainer"}
	rule5Inverse = []string{"invInPortGroup", "invOutPortGroup", "invTraversedDevice", "invIcmpDataSrcIp", "invIcmpDataDstIp"}
)

// formV1 is the form of a media type of 1.9. Types that both releases have
// show in 1.9's form when the release says so.
func formV1(name string, r Release) (form, bool) {
	switch name {
	case "Router-v1":
		return form{lacks: more(router5, "loadBalancerId"), hides: more(router5Links, "loadBalancer")}, true
	case "Router-v2":
		return form{lacks: router5, hides: router5Links}, true
	case "Bridge-v1":
		return form{lacks: more(bridge5, "vxLanPortIds"), hides: []string{"qosPolicy", "vxLanPorts"}}, true
	case "Bridge-v2":
		return form{lacks: bridge5, hides: []string{"qosPolicy", "vxLanPorts"}, show: showVXLANPort, read: readVXLANPort}, true
	case "Bridge-v3":
		return form{lacks: bridge5, hides: []string{"qosPolicy"}}, true
	case "Port-v1":
		return form{lacks: more(port5, "hostId", "interfaceName"), drops: portOwn, hides: more(port5Links, "host"), show: showPortV1, read: readPortV1}, true
	case "Port-v2":
		return form{lacks: port5, drops: portOwn, hides: port5Links, show: showPortV2}, true
	case "Tenant-v1":
		return form{hides: []string{"description", "enabled"}}, true
	case "Rule-v1":
		return form{lacks: more(rule5, "dlSrcMask", "dlDstMask", "fragmentPolicy"), hides: rule5Inverse, nonzero: whole, show: showRule, read: readRule}, true
	case "Host-v2":
		return form{drops: host5, hides: []string{"hostInterfaces"}, read: readHost}, true
	case "DhcpSubnet-v1":
		return form{drops: []string{"enabled"}}, true
	case "DhcpHost-v1":
		return form{lacks: []string{"extraDhcpOpts"}}, true
	case "SystemState-v1":
		return form{hides: []string{"availability", "version", "information"}}, true
	}
	if r != V1 {
		return form{}, false
	}
	switch name {
	case "Rule-v2":
		return form{lacks: rule5, hides: rule5Inverse, nonzero: whole, show: showRule, read: readRule}, true
	case "Host-v3":
		return form{drops: host5, read: readHost}, true
	}
	return form{}, false
}

func more(of []string, names ...string) []string { return append(slices.Clone(of), names...) }

// Downgrade turns a representation of 5.x, or a list of them, into what a media
// type shows. Media types of 5.x and JSON change nothing (see Means).
func Downgrade(media string, r Release, body any) (any, error) {
	name, _ := bare(media)
	f, older := formV1(name, r)
	if !older || body == nil {
		return body, nil
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return each(data, func(p properties) error {
		f.leave(p)
		if f.show == nil {
			return nil
		}
		return f.show(p)
	})
}

// Lost names what a representation of 5.x sets and a media type cannot show, in
// an error that wraps sdn.ErrUnsupported; nil when nothing is lost.
func Lost(media string, r Release, body any) error {
	name, _ := bare(media)
	f, older := formV1(name, r)
	if !older {
		return nil
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	var p properties
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	for _, property := range f.lacks {
		if !unset(p[property]) {
			return fmt.Errorf("property %q is %w by %s", property, sdn.ErrUnsupported, name)
		}
	}
	for _, property := range f.nonzero {
		if string(p[property]) == "0" {
			return fmt.Errorf("property %q of 0 is %w by %s", property, sdn.ErrUnsupported, name)
		}
	}
	return nil
}

// unset reports whether a value is what a property has that nobody set.
func unset(v json.RawMessage) bool {
	switch string(v) {
	case "", "null", "false", "0", "[]", `""`:
		return true
	}
	return false
}

// Upgrade turns a body of a media type into one that the Parse functions and
// the client's Noun methods read. A property that the type lacks and the body
// has all the same stays: nothing that was asked for is left out in silence.
// What is no JSON is returned as it is, for those to refuse; other errors wrap
// sdn.ErrInvalid.
func Upgrade(media string, r Release, body []byte) ([]byte, error) {
	name, _ := bare(media)
	f, older := formV1(name, r)
	if !older || !json.Valid(body) || deeper(body, MaxDepth) {
		return body, nil
	}
	if f.read == nil {
		return body, nil
	}
	out, err := each(body, f.read)
	if err != nil {
		return nil, fmt.Errorf("%s: %v: %w", name, err, sdn.ErrInvalid)
	}
	return json.Marshal(out)
}

// Complete adds to the body of a PUT, upgraded already, what its media type
// lacks and the stored representation of 5.x has. Without it the full replace
// would take away what the client cannot know.
func Complete(media string, r Release, body []byte, stored any) ([]byte, error) {
	name, _ := bare(media)
	f, older := formV1(name, r)
	if !older || !json.Valid(body) || deeper(body, MaxDepth) {
		return body, nil
	}
	data, err := json.Marshal(stored)
	if err != nil {
		return nil, err
	}
	var kept properties
	if err := json.Unmarshal(data, &kept); err != nil {
		return nil, err
	}
	out, err := each(body, func(p properties) error {
		for _, property := range more(f.lacks, f.drops...) {
			_, given := p[property]
			if v, there := kept[property]; there && !given {
				p[property] = v
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// leave removes what the form does not have.
func (f form) leave(p properties) {
	for _, names := range [][]string{f.lacks, f.drops, f.hides} {
		for _, name := range names {
			delete(p, name)
		}
	}
}

// each changes the object in data, or each object of the list in it. Anything
// else stays as it is.
func each(data []byte, change func(properties) error) (any, error) {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case len(trimmed) > 0 && trimmed[0] == '{':
		var p properties
		if err := json.Unmarshal(trimmed, &p); err != nil {
			return nil, err
		}
		return p, change(p)
	case len(trimmed) > 0 && trimmed[0] == '[':
		var list []json.RawMessage
		if err := json.Unmarshal(trimmed, &list); err != nil {
			return nil, err
		}
		for i, item := range list {
			changed, err := each(item, change)
			if err != nil {
				return nil, err
			}
			if list[i], err = json.Marshal(changed); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return json.RawMessage(data), nil
}
