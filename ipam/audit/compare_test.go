package audit

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

var (
	addr   = netip.MustParseAddr
	prefix = netip.MustParsePrefix
	now    = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
)

// state is an installation with a tenant, two attachments on two nodes, one that is
// being made, a holding and a reservation, in which all is well.
type state struct {
	ipam.Snapshot
	Facts
}

func sound() *state {
	red := ipam.Attachment{Node: "n1", Network: "moat", ContainerID: "c1", IfName: "eth0"}
	far := ipam.Attachment{Node: "n2", Network: "moat", ContainerID: "c2", IfName: "eth0"}
	begun := ipam.Attachment{Node: "n1", Network: "moat", ContainerID: "c3", IfName: "eth0"}
	other := ipam.Attachment{Node: "n1", Network: "lan", ContainerID: "c4", IfName: "net1"}
	record := func(a ipam.Attachment, ip, port string, s ipam.AttachmentState) ipam.Record {
		return ipam.Record{Attachment: a, State: s, Tenant: "red", Generation: "g", Subnet: prefix("10.128.0.0/22"), Address: addr(ip), Bridge: "b",
			Port: port, Host: "h", HostName: "moat" + port, HostMAC: "02:00:00:00:00:01", PodMAC: "0a:58:0a:80:00:02", Deadline: now.Add(time.Second), Revision: 7}
	}
	tenant, pool := ofTenant("red"), ofPool("lan")
	by := func(k ipam.RefKind, a ipam.Attachment) ipam.Ref { return ipam.Ref{Kind: k, Attachment: a} }
	return &state{
		Snapshot: ipam.Snapshot{
			Revision: 9,
			Tenants: []ipam.Tenant{{Name: "red", Generation: "g", State: ipam.TenantReady, TransitSlot: 3,
				Subnets: []ipam.Subnet{{Prefix: prefix("10.128.0.0/22"), Slot: 5, Bridge: "b"}}}},
			Slots: []ipam.Slot{{Pool: "subnet", Number: 5, Tenant: "red", Generation: "g"}, {Pool: "transit", Number: 3, Tenant: "red", Generation: "g"},
				{Pool: "subnet", Number: 6, FreedAt: &now}},
			Attachments: []ipam.Record{record(red, "10.128.0.2", "p1", ipam.Added), record(far, "10.128.0.3", "p2", ipam.Added),
				record(begun, "10.128.0.4", "p3", ipam.Adding)},
			Holdings: []ipam.Holding{{Attachment: other, Pool: "lan", At: now.Add(-time.Hour), Revision: 7,
				Leases: []ipam.PoolLease{{Address: prefix("10.9.0.2/24")}, {Address: prefix("fd00::2/64")}}}},
			Reservations: []ipam.Reservation{{Scope: tenant, Address: addr("10.128.0.9"), Until: now.Add(time.Hour)}},
			Held: []ipam.Held{
				{Scope: tenant, Address: addr("10.128.0.2"), By: by(ipam.AttachmentRef, red), Revision: 7, Record: 7},
				{Scope: tenant, Address: addr("10.128.0.3"), By: by(ipam.AttachmentRef, far), Revision: 7, Record: 7},
				{Scope: tenant, Address: addr("10.128.0.4"), By: by(ipam.AttachmentRef, begun), Revision: 7, Record: 7},
				{Scope: tenant, Address: addr("10.128.0.9"), By: ipam.Ref{Kind: ipam.ReservationRef}, Revision: 7, Record: 7},
				{Scope: pool, Address: addr("10.9.0.2"), By: by(ipam.HoldingRef, other), Revision: 7, Record: 7},
				{Scope: pool, Address: addr("fd00::2"), By: by(ipam.HoldingRef, other), Revision: 7, Record: 7},
			},
			Freed: []ipam.Freed{{Scope: tenant, Address: addr("10.128.0.20"), At: now.Add(-time.Second)},
				{Scope: tenant, Address: addr("10.128.0.21"), At: now.Add(-time.Hour)}, {Scope: pool, Address: addr("10.9.0.3"), At: now}},
		},
		Facts: Facts{
			Now: now,
			Ports: map[string]Port{
				"p1": {ID: "p1", Device: "b", Host: "h", Interface: "moatp1", Active: true, Pod: true},
				"p2": {ID: "p2", Device: "b", Host: "h", Interface: "moatp2", Active: true, Pod: true},
				"t":  {ID: "t", Device: "b"},
			},
			Node: &Node{
				Name: "n1",
				Ends: map[string]End{"p1": {Namespace: "/r", Name: "moatp1", MAC: "02:00:00:00:00:01"}, "t": {Namespace: "/r", Name: "moatt"},
					"p3": {Namespace: "/r", Name: "moatp3"}},
				Pods: map[ipam.Attachment]Pod{
					red: {Life: Living, Looked: true, End: &PodEnd{Name: "eth0", MAC: "0a:58:0a:80:00:02", Addresses: []netip.Prefix{prefix("10.128.0.2/22")}}},
				},
			},
		},
	}
}

func (s *state) compare() []Finding { return Compare(s.Snapshot, s.Facts) }

func (s *state) pod(i int, change func(*Pod)) {
	at := s.Attachments[i].Attachment
	p := s.Node.Pods[at]
	if p.End != nil {
		end := *p.End
		p.End = &end
	}
	change(&p)
	s.Node.Pods[at] = p
}

func TestEachThingThatIsWrongIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(s *state)
		kind   Kind
		remedy Remedy
		says   string
	}{
		"an address held for nobody": {func(s *state) {
			s.Held = append(s.Held, ipam.Held{Scope: ofTenant("red"), Address: addr("10.128.0.8"), By: ipam.Ref{Kind: ipam.AttachmentRef, Attachment: ipam.Attachment{Node: "n9"}}})
		}, HeldWithoutRecord, FixStore, "10.128.0.8 of tenant red is held by the record of"},
		"a pool's address held for nobody": {func(s *state) { s.Holdings = nil; s.Held = s.Held[:5]; s.Held[4].Record = 0 }, HeldWithoutRecord, FixStore, "10.9.0.2 of pool lan"},
		"a reservation's address without it": {func(s *state) { s.Reservations = nil; s.Held[3].Record = 0 }, HeldWithoutRecord, FixStore,
			"is held by a reservation, which is not there"},
		"a record without its address":        {func(s *state) { s.Held = s.Held[1:] }, RecordWithoutAddress, FixStore, "the record of moat/c1/eth0 on node n1 names address 10.128.0.2"},
		"a holding without one of its two":    {func(s *state) { s.Held = s.Held[:5] }, RecordWithoutAddress, FixStore, "fd00::2 of pool lan"},
		"a reservation that holds nothing":    {func(s *state) { s.Held = append(s.Held[:3:3], s.Held[4:]...) }, RecordWithoutAddress, FixStore, "is reserved, but not held"},
		"an address that is held by nobody's": {func(s *state) { s.Held[0].By.Attachment.ContainerID = "gone"; s.Held[0].Record = 0 }, RecordWithoutAddress, FixStore, "not held for it"},
		"two that name one address": {func(s *state) {
			s.Attachments[1].Address = addr("10.128.0.2")
			s.Held = append(s.Held[:1:1], s.Held[2:]...)
		},
			TwoHolders, ByHand, "as 1 others do"},
		"an address that names who has another": {func(s *state) {
			s.Held = append(s.Held, ipam.Held{Scope: ofTenant("red"), Address: addr("10.128.0.7"), By: s.Held[0].By, Record: 7})
		}, AddressOfAnother, FixStore, "which names another address"},
		"an attachment and a reservation": {func(s *state) {
			s.Held[0].By = ipam.Ref{Kind: ipam.ReservationRef}
			s.Reservations[0].Address = addr("10.128.0.2")
			s.Held = append(s.Held[:3:3], s.Held[4:]...)
		},
			AddressOfAnother, ByHand, "which is held by a reservation"},
		"what nobody can read":            {func(s *state) { s.Unreadable = []ipam.Unreadable{{Key: "k", Reason: "no JSON"}} }, UnreadableRecord, DropIt, "key k: no JSON"},
		"a reservation that nobody ended": {func(s *state) { s.Reservations[0].Until = now.Add(-2 * time.Minute) }, ExpiredReservation, EndThem, "ended at 2026-11-21T11:58:00Z"},
		"what who has it cannot read": {func(s *state) {
			s.Unreadable = []ipam.Unreadable{{Key: "attachments/n2/moat/c2/eth0", Reason: "no JSON"}}
			s.Attachments = append(s.Attachments[:1:1], s.Attachments[2:]...)
			delete(s.Ports, "p2")
		}, UnreadableRecord, DropIt, "key attachments/n2/moat/c2/eth0: no JSON"},
		"a slot that nobody names":          {func(s *state) { s.Slots[0].Number = 8; s.Tenants[0].Subnets[0].Slot = ipam.NoSlot }, SlotWithoutTenant, ByHand, "slot 8 of pool subnet"},
		"a tenant without a slot":           {func(s *state) { s.Slots = s.Slots[1:] }, TenantWithoutSlot, ByHand, "slot 5 of pool subnet, which nobody has"},
		"a slot of another generation":      {func(s *state) { s.Slots[1].Generation = "old" }, TenantWithoutSlot, ByHand, "slot 3 of pool transit"},
		"a reservation of no tenant":        {func(s *state) { s.Reservations[0].Scope.Name = "gone"; s.Held[3].Scope.Name = "gone" }, NoTenant, ByHand, "reserved in tenant gone"},
		"an attachment nobody waits for":    {func(s *state) { s.Attachments[2].Deadline = now.Add(-2 * time.Minute) }, HalfMade, Settle, "moat/c3/eth0 on node n1 was to be made until"},
		"an attachment without port":        {func(s *state) { delete(s.Ports, "p2") }, NoPort, Restore, "port p2"},
		"a port bound elsewhere":            {func(s *state) { p := s.Ports["p2"]; p.Interface = "tap0"; s.Ports["p2"] = p }, OtherPort, ByHand, `bound to "tap0"`},
		"a port of nobody's":                {func(s *state) { s.Ports["p9"] = Port{ID: "p9", Device: "b", Host: "h", Interface: "moatp9", Pod: true} }, PortWithoutOwner, DropPort, "port p9 on bridge b of tenant red"},
		"a port that only the store forgot": {func(s *state) { s.Ports["p9"] = Port{ID: "p9", Device: "b", Host: "h", Pod: true, Active: true} }, PortWithoutOwner, ByHand, "port p9"},
		"a pod that is gone":                {func(s *state) { s.pod(0, func(p *Pod) { *p = Pod{Life: Gone} }) }, PodGone, Detach, "is gone"},
		"a pod that is gone, and its port": {func(s *state) {
			s.pod(0, func(p *Pod) { *p = Pod{Life: Gone} })
			delete(s.Ports, "p1")
			delete(s.Node.Ends, "p1")
		}, PodGone, Detach, "is gone"},
		"a living pod without interface":  {func(s *state) { s.pod(0, func(p *Pod) { p.End = nil }) }, NoInterface, Restore, "no interface with the attachment's mark"},
		"another MAC in the pod":          {func(s *state) { s.pod(0, func(p *Pod) { p.End.MAC = "02:00:00:00:00:09" }) }, OtherInterface, ByHand, "eth0 has MAC 02:00:00:00:00:09"},
		"another MAC on the host":         {func(s *state) { s.Node.Ends["p1"] = End{Name: "moatp1", MAC: "02:00:00:00:00:09"} }, OtherInterface, ByHand, "moatp1 has MAC 02:00:00:00:00:09"},
		"another address in the pod":      {func(s *state) { s.pod(0, func(p *Pod) { p.End.Addresses = nil }) }, OtherInterface, ByHand, "recorded is 10.128.0.2"},
		"an interface of nobody's":        {func(s *state) { s.Node.Ends["p9"] = End{Namespace: "/r", Name: "moatp9"} }, InterfaceWithoutPort, ByItself, "moatp9 in namespace"},
		"a holding of a pod that is gone": {func(s *state) { s.Node.Pods[s.Holdings[0].Attachment] = Pod{Life: Gone} }, HoldingOfGonePod, GiveBack, "lan/c4/net1 on node n1 is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sound()
			c.spoil(s)
			found := s.compare()
			require.NotEmpty(t, found)
			for _, f := range found {
				require.Equal(t, c.kind, f.Kind, "%+v", found)
				require.Equal(t, c.remedy, f.Remedy)
				require.NotEmpty(t, f.Hint)
			}
			require.Contains(t, found[0].What, c.says)
			require.Equal(t, found, Lasting(found, s.compare()), "it lasts")
		})
	}
}

func TestWhatIsSoundIsNoFinding(t *testing.T) {
	for name, change := range map[string]func(s *state){
		"all is well":                   func(*state) {},
		"nothing was looked at":         func(s *state) { s.Ports, s.Node = nil, nil },
		"a tenant of another pool":      func(s *state) { s.Tenants[0].Pool, s.Slots[0].Pool = "gold", "pool/gold" },
		"a port of an API's client":     func(s *state) { s.Ports["x"] = Port{ID: "x", Device: "b", Host: "h", Interface: "tap1", Active: true} },
		"a port of no tenant's bridge":  func(s *state) { s.Ports["x"] = Port{ID: "x", Device: "other", Host: "h", Pod: true} },
		"another node's interfaces":     func(s *state) { s.Node.Name = "n3"; s.Node.Ends = nil; s.Node.Pods = nil },
		"a pod that cannot be seen":     func(s *state) { s.pod(0, func(p *Pod) { *p = Pod{Life: Unknown} }) },
		"a pod that cannot be read":     func(s *state) { s.pod(0, func(p *Pod) { *p = Pod{Life: Living} }) },
		"a young holding":               func(s *state) { s.Holdings[0].At = now; s.Node.Pods[s.Holdings[0].Attachment] = Pod{Life: Gone} },
		"a reservation that just ended": func(s *state) { s.Reservations[0].Until = now.Add(-time.Second) },
		"a reserved address in use": func(s *state) {
			s.Reservations = append(s.Reservations, ipam.Reservation{Scope: ofTenant("red"), Address: addr("10.128.0.2"), Sticky: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := sound()
			change(s)
			require.Empty(t, s.compare())
		})
	}
}

// What cannot be read may be the record of a port that nobody seems to have.
func TestWhatCannotBeReadKeepsPorts(t *testing.T) {
	s := sound()
	s.Ports["p9"] = Port{ID: "p9", Device: "b", Host: "h", Interface: "moatp9", Pod: true}
	require.Equal(t, DropPort, s.compare()[0].Remedy)
	s.Unreadable = []ipam.Unreadable{{Key: "k"}}
	require.Equal(t, ByHand, s.compare()[0].Remedy)
}

func TestWhatChangedBetweenTwoLooksIsNoFinding(t *testing.T) {
	s := sound()
	delete(s.Ports, "p2")
	first := s.compare()
	require.Len(t, first, 1)
	s.Attachments[1].Revision++
	require.Empty(t, Lasting(first, s.compare()), "made anew")
	s = sound()
	require.Empty(t, Lasting(first, s.compare()), "it is there now")
	require.Empty(t, Lasting(nil, first), "it was not there before")
}

func TestAddressesSayWhoHoldsThem(t *testing.T) {
	s := sound()
	s.Attachments[0].PodNamespace, s.Attachments[0].PodName = "red", "web"
	s.Reservations = append(s.Reservations, ipam.Reservation{Scope: ofTenant("red"), Address: addr("10.128.0.2"), Sticky: true,
		Claimant: ipam.Claimant{Identity: "red/web"}})
	s.Held = append(s.Held, ipam.Held{Scope: ofTenant("red"), Address: addr("10.128.0.8"), By: ipam.Ref{Kind: ipam.AttachmentRef}})
	list := Addresses(s.Snapshot)
	states := map[string]State{}
	var order []string
	for _, a := range list {
		states[a.Address.String()] = a.State
		order = append(order, a.Address.String())
	}
	require.Equal(t, map[string]State{"10.128.0.2": Attached, "10.128.0.3": Attached, "10.128.0.4": Adding, "10.128.0.8": Lost,
		"10.128.0.9": Reserved, "10.9.0.2": Leased, "fd00::2": Leased}, states)
	require.Equal(t, []string{"10.9.0.2", "fd00::2", "10.128.0.2", "10.128.0.3", "10.128.0.4", "10.128.0.8", "10.128.0.9"}, order, "by scope, then address")
	require.Equal(t, "red/web", list[2].Namespace+"/"+list[2].Pod)
	require.Equal(t, "red/web", list[2].Reservation.For)
	require.True(t, list[2].Reservation.Sticky)
	require.Equal(t, "moatp1", list[2].Interface)
	require.Equal(t, prefix("fd00::/64"), list[1].Subnet)
}

func TestUtilisation(t *testing.T) {
	list := Utilisation(sound().Snapshot, Rest{Tenants: 30 * time.Second, Pools: time.Minute, Ports: 999}, now)
	require.Len(t, list, 2)
	red, lan := list[0], list[1]
	require.Equal(t, []int{3, 1, 1, 999, 995}, []int{red.Used, red.Reserved, red.Cooling, *red.Total, *red.Free})
	require.InDelta(t, 0.4, *red.Percent, 0.01)
	require.Equal(t, prefix("10.128.0.0/22"), red.Subnet)
	require.Equal(t, []int{2, 0, 1}, []int{lan.Used, lan.Reserved, lan.Cooling})
	require.Nil(t, lan.Total, "only network configurations say what a pool has")

	s := sound()
	s.Tenants[0].Subnets = append(s.Tenants[0].Subnets, ipam.Subnet{Prefix: prefix("10.128.4.0/29")})
	s.Held = append(s.Held, ipam.Held{Scope: red.Scope, Address: addr("10.128.4.2"), By: ipam.Ref{Kind: ipam.AttachmentRef}})
	list = Utilisation(s.Snapshot, Rest{Tenants: 30 * time.Second, Ports: 999}, now)
	require.Len(t, list, 4)
	require.Equal(t, prefix("10.128.4.0/29"), list[1].Subnet)
	sum := list[2]
	require.False(t, sum.Subnet.IsValid(), "of both")
	require.Equal(t, []int{4, 1, 1, 1004, 999}, []int{sum.Used, sum.Reserved, sum.Cooling, *sum.Total, *sum.Free})

	s = sound()
	s.Tenants[0].Subnets[0].Prefix = prefix("10.128.0.0/29")
	red = Utilisation(s.Snapshot, Rest{Ports: 999}, now)[0]
	require.Equal(t, 5, *red.Total, "network, gateway and broadcast are nobody's")
	s.Tenants[0].Subnets[0].Gateway = addr("10.128.0.6")
	s.Tenants[0].Subnets[0].Exclude = []netip.Prefix{prefix("10.128.0.4/31")}
	red = Utilisation(s.Snapshot, Rest{Ports: 999}, now)[0]
	require.Equal(t, 3, *red.Total, "what is excluded is not leased")
}
