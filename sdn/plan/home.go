package plan

import (
	"fmt"
	"slices"

	"github.com/moatnet/moat/sdn"
)

// Homes lists the devices that have a namespace of their own: every router,
// and every bridge whose home is itself.
func Homes(v sdn.View) []sdn.DeviceID {
	var out []sdn.DeviceID
	for _, r := range v.Routers() {
		out = append(out, sdn.DeviceID(r))
	}
	for _, b := range v.Bridges() {
		if br, ok := v.Bridge(b); ok && br.Home.Device == sdn.DeviceID(b) {
			out = append(out, br.Home.Device)
		}
	}
	return out
}

// HomeOf is the device in whose namespace the ports of d live; false while that
// is not decided, or d is gone.
func HomeOf(v sdn.View, d sdn.DeviceID) (sdn.DeviceID, bool) {
	if _, ok := v.Router(sdn.RouterID(d)); ok {
		return d, true
	}
	if b, ok := v.Bridge(sdn.BridgeID(d)); ok && b.Home.Device != "" {
		return b.Home.Device, true
	}
	return "", false
}

// Home plans the whole namespace of a device: the router, if d is one, and all
// bridges that live there. It is sdn.ErrNotFound when d has no namespace.
func Home(v sdn.View, c Config, d sdn.DeviceID) (Namespace, error) {
	n := Namespace{Name: sdn.NamespaceName(d), Device: d}
	n.Links = append(n.Links, Link{Name: "lo", Kind: LoopbackLink, Alias: c.HomeStamp(d)})
	_, isRouter := v.Router(sdn.RouterID(d))
	bridges := v.BridgesAt(d)
	if !isRouter && len(bridges) == 0 {
		return Namespace{}, fmt.Errorf("plan namespace of %s: %w", d, sdn.ErrNotFound)
	}
	n.Sysctls = stackSysctls(isRouter)
	if isRouter {
		r, err := Router(v, c, sdn.RouterID(d))
		if err != nil {
			return Namespace{}, err
		}
		n.add(r)
	}
	for _, b := range bridges {
		br, err := Bridge(v, c, b.ID)
		if err != nil {
			return Namespace{}, err
		}
		n.add(br)
	}
	if slices.ContainsFunc(n.Links, func(l Link) bool { return l.Kind == BridgeLink }) {
		n.Tables = append(n.Tables, c.Senders(n.Links))
	}
	n.Sort()
	return n, nil
}
