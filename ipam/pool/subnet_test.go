package pool

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/moatnet/moat/ipam"
)

// TestOwnSubnetLeasesWhatThePoolWould compares a tenant's subnet with a pool's set
// of the same range, address by address.
func TestOwnSubnetLeasesWhatThePoolWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Range{Subnet: netip.PrefixFrom(addr("192.0.2.0"), rapid.IntRange(26, 30).Draw(t, "bits")),
			Gateway:      rapid.SampledFrom([]string{"", "first", "last"}).Draw(t, "gateway"),
			ReserveFirst: rapid.IntRange(0, 3).Draw(t, "first"), ReserveLast: rapid.IntRange(0, 3).Draw(t, "last")}
		size := 1 << (32 - r.Subnet.Bits())
		if rapid.Bool().Draw(t, "starts") {
			r.Start = shift(r.Subnet.Addr(), rapid.IntRange(0, size).Draw(t, "start"), 1)
		}
		if rapid.Bool().Draw(t, "ends") {
			r.End = shift(r.Subnet.Addr(), rapid.IntRange(0, size).Draw(t, "end"), 1)
		}
		if rapid.Bool().Draw(t, "excludes") {
			r.Exclude = []string{netip.PrefixFrom(shift(r.Subnet.Addr(), rapid.IntRange(0, size-1).Draw(t, "excluded"), 1), rapid.IntRange(30, 32).Draw(t, "length")).Masked().String()}
		}
		own, err := r.Subnet4("s")
		p, poolErr := New("s", [][]Range{{r}})
		require.Equal(t, poolErr == nil, err == nil, "%v, %v", poolErr, err)
		if err != nil {
			require.ErrorIs(t, err, ipam.ErrInvalid)
			return
		}
		for a := r.Subnet.Addr(); r.Subnet.Contains(a); a = a.Next() {
			_, inTurn := p.Sets[0].Place(a)
			offer, offered := p.Sets[0].Lease(a)
			mayHave := a != own.Router() && !special(r.Subnet, a) && !own.Excludes(a)
			reserved := slices.ContainsFunc(own.Reserved, func(p netip.Prefix) bool { return p.Contains(a) })
			require.Equal(t, offered, mayHave, a)
			require.Equal(t, inTurn, mayHave && !reserved, a)
			if offered {
				require.Equal(t, offer.Gateway, own.Router())
			}
		}
	})
}
