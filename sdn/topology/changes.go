package topology

import (
	"net/netip"
	"reflect"
	"slices"
	"strconv"

	"github.com/moatnet/moat/sdn"
)

// changes lists what is different from before, in the order of first touch, but
// what lost an ID before what may have taken it over.
func (p *pass) changes() []sdn.Change {
	var gone, list []sdn.Change
	for _, k := range p.touched {
		before, after := p.before[k], p.objects[k.kind][k.id]
		if k.kind == kindMember || same(before, after) {
			continue
		}
		oldID, old := shown(k, before)
		id, now := shown(k, after)
		switch {
		case now == nil && id != oldID:
			gone = append(gone, sdn.Change{Kind: k.kind, ID: oldID, Before: old})
		case old != nil && id != oldID:
			gone = append(gone, sdn.Change{Kind: k.kind, ID: oldID, Before: old})
			list = append(list, sdn.Change{Kind: k.kind, ID: id, After: now})
		default:
			list = append(list, sdn.Change{Kind: k.kind, ID: id, Before: old, After: now})
		}
	}
	return slices.Clip(append(gone, list...))
}

// same compares what an object was and is. Most rules that differ only moved.
func same(before, after any) bool {
	if r, ok := before.(sdn.Rule); ok {
		if now, ok := after.(sdn.Rule); ok && now.Position != r.Position {
			return false
		}
	}
	return reflect.DeepEqual(before, after)
}

// shown is an object, nil where there is none, and its ID, as readers know
// them. Only what DHCP keeps is stored under another ID.
func shown(k key, o any) (string, any) {
	switch b := o.(type) {
	case sdn.DHCPSubnet:
		return subnetName(b.Bridge, b.Prefix), b
	case dhcpHost:
		return subnetName(b.Host.Bridge, b.Host.Subnet) + "/" + b.Host.MAC, b.Host
	}
	return k.id, o
}

// subnetName is the ID by which a bridge's subnet is known.
func subnetName(b sdn.BridgeID, p netip.Prefix) string {
	return string(b) + "/" + prefixText(p)
}

// prefixText is the API's form of a prefix in URIs.
func prefixText(p netip.Prefix) string { return p.Addr().String() + "_" + strconv.Itoa(p.Bits()) }
