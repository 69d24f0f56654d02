package wire_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// FuzzForms reads any body as every form of 1.9: no panic, an error is the
// caller's fault, and what comes out of JSON is JSON.
func FuzzForms(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[{}]`, `[[{"type":"ExteriorRouter"}]]`, `{"type":"InteriorBridge","peerId":null,"bgps":7}`,
		`{"vxLanPortId":[]}`, `{"nwTos":0,"nwProto":"0","tpSrc":{}}`, `{"addresses":["/10.0.0.1",null,7]}`, `{"type":{"type":1}}`,
	} {
		f.Add([]byte(seed))
	}
	forms := []string{"Router-v1", "Router-v2", "Bridge-v1", "Bridge-v2", "Bridge-v3", "Port-v1", "Port-v2", "Tenant-v1",
		"Rule-v1", "Rule-v2", "Host-v2", "Host-v3", "DhcpSubnet-v1", "DhcpHost-v1", "SystemState-v1"}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, name := range forms {
			up, err := wire.Upgrade(media(name), wire.V1, body)
			if err != nil {
				require.True(t, errors.Is(err, sdn.ErrInvalid), "%s: %v", name, err)
				continue
			}
			require.Equal(t, json.Valid(body), json.Valid(up), name)
			full, err := wire.Complete(media(name), wire.V1, up, map[string]any{"asNumber": 7})
			require.True(t, err == nil || errors.Is(err, sdn.ErrInvalid), "%s: %v", name, err)
			if err == nil {
				require.Equal(t, json.Valid(body), json.Valid(full), name)
			}
		}
	})
}
