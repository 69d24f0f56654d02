package wire_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// parser reads a request body; what it reads is forgotten.
type parser func([]byte) error

func reads[N any](parse func([]byte) (N, error)) parser {
	return func(body []byte) error {
		_, err := parse(body)
		return err
	}
}

// parsers are all that read request bodies, by the media type of 5.x.
func parsers() map[string]parser {
	return map[string]parser{
		wire.RouterV3: reads(wire.ParseRouter), wire.BridgeV4: reads(wire.ParseBridge), wire.PortV3: reads(wire.ParsePort),
		wire.ChainV1: reads(wire.ParseChain), wire.RuleV2: reads(wire.ParseRule), wire.RouteV1: reads(wire.ParseRoute),
		wire.HostV3: reads(wire.ParseHost), wire.HostV3 + "; new": reads(wire.ParseNewHost), wire.PortLinkV1: reads(wire.ParseLink),
		wire.HostInterfacePortV1: reads(wire.ParseBinding), wire.TunnelZoneV1: reads(wire.ParseTunnelZone),
		wire.TunnelZoneHostV1: reads(wire.ParseTunnelZoneHost), wire.PortGroupV1: reads(wire.ParsePortGroup),
		wire.PortGroupPortV1: reads(wire.ParsePortGroupPort), wire.IPAddrGroupV1: reads(wire.ParseIPAddrGroup),
		wire.IPAddrGroupAddrV1: reads(wire.ParseIPAddrGroupAddr), wire.MACPortV2: reads(wire.ParseMACPort),
		wire.IP4MACV1: reads(wire.ParseIP4MAC), wire.DHCPSubnetV2: reads(wire.ParseDHCPSubnet),
		wire.DHCPHostV2: reads(wire.ParseDHCPHost), wire.SystemStateV2: reads(wire.ParseState),
	}
}

// refusal reports whether an error is the caller's fault or something that is
// not supported.
func refusal(err error) bool {
	return err == nil || errors.Is(err, sdn.ErrInvalid) || errors.Is(err, sdn.ErrUnsupported)
}

// FuzzParse reads any body as every resource, in the forms of 5.x and of 1.9:
// no panic, and every error is the caller's fault or something that is not
// supported.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		for media, parse := range parsers() {
			err := parse(body)
			require.True(t, refusal(err), "%s: %v", media, err)
			for _, older := range wire.V1.Only(media) {
				upgraded, err := wire.Upgrade(older, wire.V1, body)
				if err == nil {
					err = parse(upgraded)
				}
				require.True(t, refusal(err), "%s: %v", older, err)
			}
		}
	})
}

// FuzzKeys reads any text as each of the keys that URIs hold: what is read can
// be written again.
func FuzzKeys(f *testing.F) {
	u := wire.NewURIs("")
	f.Fuzz(func(t *testing.T, key, version string) {
		if mac, port, err := wire.ParseMACPortKey(key); err == nil {
			require.Equal(t, "/bridges/b/mac_table/"+dashes(mac)+"_"+string(port), string(u.MACPort(sdn.MACPort{Bridge: "b", MAC: mac, Port: port}).URI))
		} else {
			require.ErrorIs(t, err, sdn.ErrInvalid)
		}
		if addr, mac, err := wire.ParseIP4MACKey(key); err == nil {
			require.True(t, addr.Is4())
			require.Equal(t, "/bridges/b/arp_table/"+addr.String()+"_"+dashes(mac), string(u.IP4MAC(sdn.IP4MAC{Bridge: "b", Addr: addr, MAC: mac}).URI))
		} else {
			require.ErrorIs(t, err, sdn.ErrInvalid)
		}
		if p, err := wire.ParsePrefixKey(key); err == nil {
			require.Equal(t, p.Masked(), p)
			require.True(t, p.IsValid() && p.Addr().Is4())
		} else {
			require.ErrorIs(t, err, sdn.ErrInvalid)
		}
		if mac, err := wire.ParseMACKey(key); err == nil {
			require.Len(t, mac, 17)
		} else {
			require.ErrorIs(t, err, sdn.ErrInvalid)
		}
		if a, err := wire.ParseVersionedAddr(version, key); err == nil {
			require.Equal(t, version == "4", a.Is4(), "%q %q", version, key)
		} else {
			require.ErrorIs(t, err, sdn.ErrInvalid)
		}
		_, err := wire.ParseVLAN(key)
		require.True(t, refusal(err))
	})
}

func dashes(mac string) string {
	out := []byte(mac)
	for i, c := range out {
		if c == ':' {
			out[i] = '-'
		}
	}
	return string(out)
}
