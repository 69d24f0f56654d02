package wire

import (
	"encoding/json"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// text is a property's value as text; "" when it is null, missing or no scalar.
func (p properties) text(name string) Text {
	var t Text
	if v, there := p[name]; !there || json.Unmarshal(v, &t) != nil {
		return ""
	}
	return t
}

func (p properties) set(name string, value any) error {
	data, err := json.Marshal(value)
	p[name] = data
	return err
}

// showPortV1 names the type by what the port is plugged into: Interior when it
// is linked, else Exterior, as which alone it can be bound.
func showPortV1(p properties) error {
	at := Text("Exterior")
	if p.text("peerId") != "" {
		at = "Interior"
	}
	if t := p.text("type"); t != vxlanPort {
		if err := p.set("type", at+t); err != nil {
			return err
		}
	}
	return showPortV2(p)
}

// showPortV2 adds the link to BGP, which 1.9 has below router ports.
func showPortV2(p properties) error {
	if self := p.text("uri"); self != "" && strings.HasSuffix(string(p.text("type")), string(sdn.RouterPort)) {
		return p.set("bgps", self+"/"+BGPs)
	}
	return nil
}

// readPortV1 gives the type its later name.
func readPortV1(p properties) error {
	if kind, known := portKinds[p.text("type")]; known {
		return p.set("type", Text(kind))
	}
	return nil
}

// showVXLANPort shows the first of the VXLAN ports as the one that Bridge-v2
// can have.
func showVXLANPort(p properties) error {
	var ids []Text
	if v, there := p["vxLanPortIds"]; there {
		if err := json.Unmarshal(v, &ids); err != nil {
			return err
		}
	}
	delete(p, "vxLanPortIds")
	first := append(ids, "")[0]
	return p.set("vxLanPortId", first)
}

func readVXLANPort(p properties) error {
	ids := []Text{}
	if one := p.text("vxLanPortId"); one != "" {
		ids = append(ids, one)
	}
	delete(p, "vxLanPortId")
	return p.set("vxLanPortIds", ids)
}

// whole are the numbers of a condition that are 0, not null, in 1.9 when every
// packet matches.
var whole = []string{"nwTos", "nwProto"}

func showRule(p properties) error {
	for _, name := range whole {
		if v, there := p[name]; there && string(v) == "null" {
			p[name] = json.RawMessage("0")
		}
	}
	return nil
}

func readRule(p properties) error {
	for _, name := range whole {
		if t := p.text(name); t == "0" {
			delete(p, name)
		}
	}
	return nil
}

// readHost takes addresses in the form "name/address" too.
func readHost(p properties) error {
	var addresses []Text
	if v, there := p["addresses"]; !there || json.Unmarshal(v, &addresses) != nil {
		return nil
	}
	for i, a := range addresses {
		addresses[i] = Text(string(a)[strings.LastIndexByte(string(a), '/')+1:])
	}
	return p.set("addresses", addresses)
}
