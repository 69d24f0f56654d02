package main

import (
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/plugins/plugins/ipam/host-local/backend/allocator"
	"github.com/containernetworking/plugins/plugins/ipam/host-local/backend/disk"
)

// hostLocal times the reference allocator in process, in an empty pool and after
// as many addresses as a minute's filling gives it.
func (b *bench) hostLocal() error {
	const filled = 2000 // its cost grows with each; a /16 would take hours
	ranges := allocator.RangeSet{{Subnet: types.IPNet{IP: net.IPv4(10, 4, 0, 0).To4(), Mask: net.CIDRMask(16, 32)}}}
	if err := ranges[0].Canonicalize(); err != nil {
		return fmt.Errorf("host-local: %w", err)
	}
	store, err := disk.New("bench", filepath.Join(b.dir, "host-local"))
	if err != nil {
		return fmt.Errorf("host-local: %w", err)
	}
	defer store.Close()
	a := allocator.NewIPAllocator(&ranges, store, 0)
	var empty, full series
	for i := range filled + b.rounds {
		start := time.Now()
		if _, err := a.Get(fmt.Sprintf("c%d", i), "eth0", nil); err != nil {
			return fmt.Errorf("host-local: %w", err)
		}
		switch took := time.Since(start); {
		case i < b.rounds:
			empty.add(took, 0)
		case i >= filled:
			full.add(took, 0)
		}
	}
	fmt.Fprintf(b.out, "host-local, one node, no fsync: empty p50 %s, behind %d leases p50 %s, ratio %.2f\n",
		ms(empty.wall(50)), filled, ms(full.wall(50)), float64(full.wall(50))/float64(empty.wall(50)))
	return nil
}
