package conformance

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/wire"
)

// holders are the objects whose keys the client reads without a default.
var holders = map[string]func(p *python) (dto, string){
	"router": func(p *python) (dto, string) { return p.router(), "Router-v3" },
	"bridge": func(p *python) (dto, string) { return p.bridge(), "Bridge-v4" },
	"chain":  func(p *python) (dto, string) { return p.chain(), "Chain-v1" },
	"port": func(p *python) (dto, string) {
		return p.make(p.bridge().text("ports"), "Port-v3", dto{"type": bridgeKind}), "Port-v3"
	},
	"rule": func(p *python) (dto, string) {
		return p.make(p.chain().text("rules"), "Rule-v2", dto{"type": "accept"}), "Rule-v2"
	},
	"route": func(p *python) (dto, string) {
		return p.make(p.router().text("routes"), "Route-v1", blackHole("10.0.0.0", 8)), "Route-v1"
	},
	"host": func(p *python) (dto, string) { return p.make(p.root.text("hosts"), "Host-v3", newHost()), "Host-v3" },
	"group": func(p *python) (dto, string) {
		return p.make(p.root.text("ipAddrGroups"), addrGroupMedia, dto{"name": "g"}), addrGroupMedia
	},
	"ports": func(p *python) (dto, string) {
		return p.make(p.root.text("portGroups"), portGroupMedia, p.named()), portGroupMedia
	},
	"subnet": func(p *python) (dto, string) {
		return p.make(p.bridge().text("dhcpSubnets"), subnetMedia, dto{"subnetPrefix": "10.9.0.0", "subnetLength": 24}), subnetMedia
	},
	"zone": func(p *python) (dto, string) {
		return p.make(p.root.text("tunnelZones"), zoneMedia, dto{"name": uuid.NewString(), "type": "gre"}), zoneMedia
	},
}

func pythonKeys() []Case {
	var all []Case
	for key, where := range map[string][]string{
		"link": {"port"}, "ports": {"router", "bridge", "host", "ports"}, "addrs": {"group"}, "peerPorts": {"router", "bridge"}, "routes": {"router"}, "rules": {"chain"},
		"dhcpSubnets": {"bridge"}, "hosts": {"zone", "subnet"}, "interfaces": {"host"},
		"uri": {"router", "bridge", "chain", "port", "rule", "route", "host", "zone", "group", "ports", "subnet"},
	} {
		all = append(all, pythonCase("5.key."+key, func(p *python) {
			for _, holder := range where {
				o, _ := holders[holder](p)
				require.NotEmpty(p.t, o[key], holder)
			}
		}))
	}
	for media, holder := range map[string]string{"Router-v3": "router", "Bridge-v4": "bridge", "Port-v3": "port", "Rule-v2": "rule", "Host-v3": "host"} {
		all = append(all, pythonCase("5.media."+media, func(p *python) {
			o, of := holders[holder](p)
			a := p.call("GET", o.text("uri"), "{}", "Accept: "+vendor+of+"+json")
			require.Equal(p.t, vendor+of+"+json", a.header.Get("Content-Type"))
		}).in(wire.V5))
	}
	return append(all,
		pythonCase("5.media.Tenant-v2", func(p *python) {
			p.chain()
			p.all(p.root.text("tenants"), "Tenant-v2", nil)
			require.Equal(p.t, p.tenant, p.read(p.template("tenantTemplate", p.tenant), "Tenant-v2")["id"])
		}).in(wire.V5),
		pythonCase("5.media.SystemState-v2", func(p *python) {
			require.Equal(p.t, "ACTIVE", p.read(p.root.text("systemState"), "SystemState-v2")["state"])
		}),
	)
}
