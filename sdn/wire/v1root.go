package wire

import "strings"

// BGPs is a collection that only 1.9 has, of its own and below ports.
const BGPs = "bgps"

// Others that only 1.9 has; hostVersions is the name of Versions there.
const (
	writeVersion = "write_version"
	licenses     = "licenses"
	adRoutes     = "ad_routes"
)

// since5Root are the paths that the root of 1.9 does not lead to.
var since5Root = map[string]bool{
	"bgp_networks": true, "bgp_peers": true, "conf": true, "l2insertions": true, "mirrors": true,
	"qos_bw_limit_rules": true, "qos_dscp_rules": true, "qos_policies": true,
	"service_container_groups": true, "service_containers": true,
}

// ApplicationIn is the root of a release, as a media type shows it.
func (u URIs) ApplicationIn(r Release, media string) map[string]any {
	root := map[string]any{"uri": u.base + "/", "version": r.Version()}
	for _, e := range rootEntries {
		if r == V1 && since5Root[e.path] {
			continue
		}
		if e.name != "" {
			root[e.name] = u.At(e.path)
		}
		if e.template != "" {
			root[e.template] = u.At(e.path) + "/{id}"
		}
	}
	if r == V1 {
		u.addV1(root, media)
	}
	return root
}

func (u URIs) addV1(root map[string]any, media string) {
	root["writeVersion"] = u.At(writeVersion)
	root["hostVersions"] = u.At(Versions)
	root["adRouteTemplate"] = u.At(adRoutes) + "/{id}"
	root["bgpTemplate"] = u.At(BGPs) + "/{id}"
	if t, ok := root["vtepTemplate"].(string); ok {
		root["vtepTemplate"] = strings.Replace(t, "{id}", "{ipAddr}", 1)
	}
	if media != ApplicationV5 {
		return
	}
	for _, key := range []string{"licenses", "licenseTemplate", "licenseStatus"} {
		root[key] = nil
	}
}

// UnservedV1 lists the collections of 1.9 that a server in its mode answers
// for and does not serve; below ports it is the last of them alone.
func UnservedV1() []string { return []string{writeVersion, Versions, licenses, adRoutes, BGPs} }
