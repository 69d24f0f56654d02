package netns_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/netns"
)

func TestEndsOfWhatIsNoNamespace(t *testing.T) {
	_, err := netns.Ends(t.Context(), filepath.Join(t.TempDir(), "none"), stamp)
	require.ErrorIs(t, err, netns.ErrNoNamespace)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = netns.Ends(t.Context(), file, stamp)
	require.ErrorIs(t, err, netns.ErrNoNamespace)
}

func TestEndsAreFoundByTheirStamp(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	v := wanted(host, pod)
	made, err := netns.Make(t.Context(), v)
	require.NoError(t, err)
	host.foreign(t, "other", "moat:other:port:1")

	at := func(path string) []netns.End {
		ends, err := netns.Ends(t.Context(), path, stamp)
		require.NoError(t, err)
		return ends
	}
	require.Equal(t, []netns.End{{Name: v.HostName, Alias: stamp, MAC: made.HostMAC}}, withoutLocal(at(host.Path())))
	require.Equal(t, []netns.End{{Name: "eth0", Alias: stamp, MAC: made.PodMAC, Addresses: v.Addresses}}, withoutLocal(at(pod.Path())))
	ends, err := netns.Ends(t.Context(), pod.Path(), "moat:nobody:")
	require.NoError(t, err)
	require.Empty(t, ends)
}

// withoutLocal leaves out the addresses that the kernel gives by itself.
func withoutLocal(ends []netns.End) []netns.End {
	for i, e := range ends {
		ends[i].Addresses = nil
		for _, a := range e.Addresses {
			if !a.Addr().IsLinkLocalUnicast() {
				ends[i].Addresses = append(ends[i].Addresses, a)
			}
		}
	}
	return ends
}
