package topology

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/storedtest"
)

// filled are bodies of all kinds in which every field says something.
var filled = map[sdn.Kind]any{
	sdn.KindRouter: storedtest.Filled[sdn.Router](), sdn.KindBridge: storedtest.Filled[sdn.Bridge](), sdn.KindPort: storedtest.Filled[sdn.Port](),
	sdn.KindRoute: storedtest.Filled[sdn.Route](), sdn.KindChain: storedtest.Filled[sdn.Chain](), sdn.KindRule: storedtest.Filled[sdn.Rule](),
	sdn.KindHost: storedtest.Filled[sdn.Host](), sdn.KindTunnelZone: storedtest.Filled[sdn.TunnelZone](),
	sdn.KindPortGroup: storedtest.Filled[sdn.PortGroup](), sdn.KindPortGroupPort: storedtest.Filled[sdn.PortGroupPort](),
	sdn.KindIPAddrGroup: storedtest.Filled[sdn.IPAddrGroup](), sdn.KindIPAddrGroupAddr: storedtest.Filled[sdn.IPAddrGroupAddr](),
	sdn.KindMACPort: storedtest.Filled[sdn.MACPort](), sdn.KindIP4MAC: storedtest.Filled[sdn.IP4MAC](),
	sdn.KindDHCPSubnet: storedtest.Filled[sdn.DHCPSubnet](), sdn.KindDHCPHost: storedtest.Filled[dhcpHost](),
	kindMember: storedtest.Filled[sdn.TunnelZoneHost](), kindOrder: []string{"text"}, kindBind: "text", kindZoneName: "text", kindPrefix: "text", kindMeta: 1,
}

// What is stored of each kind is what the version says, and what the versions
// before stored is read without a loss. A sample of version 1 is in version1.json.
func TestTheStoredFormIsThatOfItsVersion(t *testing.T) {
	stored := storedtest.Forms{}
	for name, kind := range kindNamed {
		stored[name] = record{Deleted: true, Object: filled[kind]}
	}
	storedtest.Hold(t, "topology", 2, schemaVersion, stored, func(_ int, name string, text []byte) error {
		kind, ok := kindNamed[name]
		if !ok {
			return fmt.Errorf("kind %s is not known", name)
		}
		body := reflect.New(reflect.TypeOf(filled[kind]))
		if err := storedtest.Strictly(text, &record{Object: body.Interface()}); err != nil {
			return err
		}
		f := fact{key: key{kind, "id"}}
		return f.decode(text)
	})
}
