package ledger

import (
	"net/netip"
	"slices"

	"github.com/moatnet/moat/ipam"
)

// places are numbered addresses: those of a tenant's subnet, or of a pool's set.
type places interface {
	Len() int
	Place(a netip.Addr) (int, bool)
	// nobodys lists the places that are never leased.
	nobodys() []int
}

// subnetPlaces counts from a subnet's first address on.
type subnetPlaces struct{ ipam.Subnet }

func (s subnetPlaces) Len() int { return size(s.Prefix) }

func (s subnetPlaces) Place(a netip.Addr) (int, bool) {
	if !s.Prefix.Contains(a) {
		return 0, false
	}
	return placeOf(s.Prefix, a), true
}

// nobodys are the network, the gateway and the broadcast address, and what the
// configuration takes out.
func (s subnetPlaces) nobodys() []int {
	all := []int{0, placeOf(s.Prefix, s.Router()), s.Len() - 1}
	for _, out := range slices.Concat(s.Exclude, s.Reserved) {
		first := placeOf(s.Prefix, out.Addr())
		for i := range size(out) {
			all = append(all, first+i)
		}
	}
	return all
}

func placeOf(subnet netip.Prefix, a netip.Addr) int {
	x, y := a.As4(), subnet.Addr().As4()
	n := 0
	for i := range x {
		n = n<<8 + int(x[i]) - int(y[i])
	}
	return n
}
