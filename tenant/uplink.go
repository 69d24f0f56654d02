package tenant

import "github.com/moatnet/moat/sdn"

// UplinkPort is the ID of the provider router's uplink port in an installation:
// an engine needs it before the port is made.
func UplinkPort(installation string) (sdn.PortID, error) {
	n, err := newNames(installation, "", "")
	if err != nil {
		return "", err
	}
	return id[sdn.PortID](n, roleUplink), nil
}

// ProviderRouter is the ID of an installation's provider router.
func ProviderRouter(installation string) (sdn.RouterID, error) {
	n, err := newNames(installation, "", "")
	if err != nil {
		return "", err
	}
	return id[sdn.RouterID](n, roleProvider), nil
}
