package ipamtest

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/moatnet/moat/ipam"
)

// Model lets two processes lease, give back, reserve, release and wait in any
// order, and compares with what a plain map would say. It is a property for
// rapid.Check.
func Model(open func() OpenReserving, pool bool) func(*rapid.T) {
	return func(t *rapid.T) {
		m := &model{keeper: newKeeper(t, open(), pool), t: t, pods: map[string]*modelPod{}, kept: map[netip.Addr]*ipam.Reservation{}}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			m.step()
			m.compare()
		}
		m.requireSound()
	}
}

// model is what there should be.
type model struct {
	*keeper
	t    *rapid.T
	pods map[string]*modelPod // by container
	kept map[netip.Addr]*ipam.Reservation
}

type modelPod struct {
	got
	sticky *ipam.Sticky
	kept   *ipam.Reservation // that it has; it may have been released since
}

func (m *model) step() {
	s := rapid.SampledFrom([]Reserving{m.one, m.two}).Draw(m.t, "store")
	address := netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(2, 6).Draw(m.t, "address"))})
	identity := fmt.Sprintf("ns/p%d", rapid.IntRange(0, 2).Draw(m.t, "identity"))
	container := fmt.Sprintf("c%d", rapid.IntRange(0, 6).Draw(m.t, "container"))
	switch rapid.IntRange(0, 9).Draw(m.t, "action") {
	case 0, 1, 2, 3:
		m.takes(s, container, identity, address)
	case 4, 5:
		if p := m.pods[container]; p != nil {
			m.gives(s, container, p)
		}
	case 6:
		m.reserves(s, address, identity)
	case 7:
		if r := m.kept[address]; r != nil {
			require.NoError(m, s.Unreserve(m.Context(), m.look(s, address.String())))
			delete(m.kept, address)
		}
	case 8:
		n, err := s.EndReservations(m.Context())
		require.NoError(m, err)
		require.Equal(m, m.expire(), n)
	case 9:
		m.at = m.at.Add(time.Duration(rapid.IntRange(1, 40).Draw(m.t, "minutes")) * time.Minute)
	}
}

// expire ends what is over and says how many there were.
func (m *model) expire() (n int) {
	for a, r := range m.kept {
		if m.over(r) {
			delete(m.kept, a)
			n++
		}
	}
	return n
}

// settle finds out whether what is over was ended, which a store does when it takes
// a pool for full: it may find out before that the attachment has an address.
func (m *model) settle() {
	rs, err := m.one.Reservations(m.Context(), m.scope)
	require.NoError(m, err)
	if len(rs) < len(m.kept) {
		require.Empty(m, m.free())
		m.expire()
	}
}

func (m *model) over(r *ipam.Reservation) bool { return !r.Until.IsZero() && !r.Until.After(m.at) }

func (m *model) holder(a netip.Addr) string {
	for c, p := range m.pods {
		if p.address == a {
			return c
		}
	}
	return ""
}

// free lists what nobody holds and nobody has reserved.
func (m *model) free() (as []netip.Addr) {
	for i := range 5 {
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + i)})
		if m.holder(a) == "" && m.kept[a] == nil {
			as = append(as, a)
		}
	}
	return as
}

func (m *model) takes(s Reserving, container, identity string, address netip.Addr) {
	p := pod{container: container, name: identity[len("ns/"):]}
	if rapid.Bool().Draw(m.t, "sticky") {
		p.sticky = &ipam.Sticky{Identity: identity, Shared: rapid.Bool().Draw(m.t, "shared"),
			For: time.Duration(rapid.IntRange(0, 1).Draw(m.t, "hours")) * time.Hour}
	}
	if rapid.IntRange(0, 3).Draw(m.t, "ask") == 0 {
		p.asks = address.String()
	}
	g, err := m.take(s, p)
	var exists *ipam.ExistsError
	switch {
	case m.pods[container] != nil && m.pool:
		require.NoError(m, err)
		require.Equal(m, m.pods[container].address, g.address, "it keeps what it has")
		m.settle()
	case m.pods[container] != nil:
		require.ErrorAs(m, err, &exists)
		m.settle()
	case p.asks != "":
		m.asked(p, address, g, err)
	case p.sticky != nil:
		m.stuck(p, g, err)
	default:
		m.fresh(p, g, err)
	}
}

// asked is an address that is asked for by name.
func (m *model) asked(p pod, a netip.Addr, g got, err error) {
	if c := m.holder(a); c != "" {
		m.saysInUse(err, c)
		return
	}
	r := m.kept[a]
	if r != nil && m.over(r) {
		delete(m.kept, a)
		r = nil
	}
	if r != nil && r.Identity != "ns/"+p.name {
		var kept *ipam.ReservedError
		require.ErrorAs(m, err, &kept)
		require.Equal(m, r.Identity, kept.Reservation.Identity)
		return
	}
	require.NoError(m, err)
	require.Equal(m, a, g.address)
	m.gets(p, g, r)
}

func (m *model) saysInUse(err error, container string) {
	var used *ipam.AddressInUseError
	require.ErrorAs(m, err, &used)
	require.Equal(m, container, used.Holder.ContainerID)
}

// stuck is a sticky attachment that asks for no address.
func (m *model) stuck(p pod, g got, err error) {
	var best []*ipam.Reservation
	var held []string
	for a, r := range m.kept {
		c := m.holder(a)
		switch sure := p.sticky.Shared || !r.Sticky || r.Until.IsZero(); {
		case r.Identity != p.sticky.Identity:
		case c != "" && sure:
			held = append(held, c)
		case len(best) == 0 || better(r, best[0]):
			best = []*ipam.Reservation{r}
		case !better(best[0], r):
			best = append(best, r)
		}
	}
	if len(held) > 0 && !p.sticky.Shared {
		var used *ipam.AddressInUseError
		require.ErrorAs(m, err, &used)
		require.Contains(m, held, used.Holder.ContainerID)
		return
	}
	if len(best) == 0 {
		m.fresh(p, g, err)
		return
	}
	for _, r := range best {
		if c := m.holder(r.Address); c != "" { // who asked for it by name
			if err != nil || r.Address == g.address {
				m.saysInUse(err, c)
				return
			}
		} else if r.Address == g.address {
			require.NoError(m, err)
			m.gets(p, g, r)
			return
		}
	}
	m.t.Fatalf("got %s, %v, wanted one of %v", g.address, err, best)
}

func better(a, b *ipam.Reservation) bool {
	return !a.Sticky && b.Sticky || a.Sticky == b.Sticky && a.Until.After(b.Until)
}

// fresh is any address that is free.
func (m *model) fresh(p pod, g got, err error) {
	if len(m.free()) == 0 {
		m.expire()
	}
	if len(m.free()) == 0 {
		require.ErrorIs(m, err, ipam.ErrExhausted)
		return
	}
	require.NoError(m, err)
	require.True(m, slices.Contains(m.free(), g.address), "%s is not free", g.address)
	m.gets(p, g, nil)
}

// gets takes in what a pod got, from a reservation or not.
func (m *model) gets(p pod, g got, from *ipam.Reservation) {
	if from == nil && p.sticky != nil {
		from = &ipam.Reservation{Scope: m.scope, Address: g.address, Sticky: true, Claimant: ipam.Claimant{Identity: p.sticky.Identity, IfName: "eth0"}}
		m.kept[g.address] = from
	} else if from != nil && from.Sticky && p.sticky != nil {
		from.Until = time.Time{}
	}
	m.pods[p.container] = &modelPod{got: g, sticky: p.sticky, kept: from}
}

func (m *model) gives(s Reserving, container string, p *modelPod) {
	require.NoError(m, p.end(s))
	delete(m.pods, container)
	switch {
	case p.kept == nil || m.kept[p.address] != p.kept || !p.kept.Sticky || p.sticky == nil:
	case p.sticky.For == 0:
		delete(m.kept, p.address)
	default:
		p.kept.Until = m.at.Add(p.sticky.For)
	}
}

func (m *model) reserves(s Reserving, a netip.Addr, identity string) {
	r := ipam.Reservation{Scope: m.scope, Address: a}
	if rapid.Bool().Draw(m.t, "for somebody") {
		r.Identity = identity
	}
	if rapid.Bool().Draw(m.t, "for a while") {
		r.Until = m.at.Add(time.Duration(rapid.IntRange(1, 60).Draw(m.t, "while")) * time.Minute)
	}
	_, err := s.Reserve(m.Context(), r)
	if c := m.holder(a); c != "" {
		m.saysInUse(err, c)
		return
	}
	if have := m.kept[a]; have != nil && !m.over(have) {
		if same := have.Claimant == r.Claimant && !have.Sticky && have.Until.Equal(r.Until); !same {
			var kept *ipam.ReservedError
			require.ErrorAs(m, err, &kept)
			return
		}
	}
	require.NoError(m, err)
	m.kept[a] = &r
}

// compare looks at all reservations there are.
func (m *model) compare() {
	rs, err := m.two.Reservations(m.Context(), m.scope)
	require.NoError(m, err)
	require.Len(m, rs, len(m.kept))
	for _, r := range rs {
		want := m.kept[r.Address]
		require.NotNil(m, want, "%s is kept", r.Address)
		require.Equal(m, want.Claimant, r.Claimant)
		require.Equal(m, want.Sticky, r.Sticky)
		require.True(m, want.Until.Equal(r.Until), "%s: until %s, want %s", r.Address, r.Until, want.Until)
		holder := ""
		if r.Holder != nil {
			holder = r.Holder.ContainerID
		}
		require.Equal(m, m.holder(r.Address), holder)
	}
}
