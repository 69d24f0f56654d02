package wire_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// FuzzParse reads any body as every resource: no panic, and every error is the
// caller's fault or something that is not supported.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `{"type":"Router","portSubnet":[null,"10.0.0.1/24"]}`, `{"type":"jump","jumpChainId":""}`,
		`{"type":"dnat","flowAction":"accept","natTargets":[null]}`, `{"hostInterfaces":[{"addresses":[null]}]}`,
		`{"inPorts":[null,"x"],"type":"drop"}`, `{"dlSrcMask":"ffff.FFFF.00zz","type":"drop"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var errs []error
		add := func(err error) { errs = append(errs, err) }
		_, err := wire.ParseRouter(body)
		add(err)
		_, err = wire.ParseBridge(body)
		add(err)
		_, err = wire.ParsePort(body)
		add(err)
		_, err = wire.ParseChain(body)
		add(err)
		_, err = wire.ParseRule(body)
		add(err)
		_, err = wire.ParseRoute(body)
		add(err)
		_, err = wire.ParseHost(body)
		add(err)
		_, err = wire.ParseNewHost(body)
		add(err)
		_, err = wire.ParseLink(body)
		add(err)
		_, err = wire.ParseBinding(body)
		add(err)
		_, err = wire.ParseTunnelZone(body)
		add(err)
		_, err = wire.ParseTunnelZoneHost(body)
		add(err)
		for _, err := range errs {
			require.True(t, err == nil || errors.Is(err, sdn.ErrInvalid) || errors.Is(err, sdn.ErrUnsupported), "%v", err)
		}
	})
}
