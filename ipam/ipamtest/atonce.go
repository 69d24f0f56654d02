package ipamtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/moatnet/moat/ipam"
)

// everythingAtOnce has many callers of two processes lease, give back, reserve and
// release the same few addresses. Whatever comes of it, no address is anybody's
// twice, nothing is lost, and every refusal is one of those that are meant.
func everythingAtOnce(k *keeper) {
	stores := []Reserving{k.one, k.two}
	left := make([][]got, 8)
	for round := range 6 {
		var wg sync.WaitGroup
		for w := range left {
			wg.Go(func() {
				c := &caller{keeper: k, s: stores[w%2], name: fmt.Sprintf("c%d-%d", round, w), has: left[w]}
				for i := range 25 {
					if err := c.step(i); !meant(err) {
						assert.NoError(k, err)
						return
					}
				}
				left[w] = c.has
			})
		}
		wg.Wait()
		k.requireSound()
		k.at = k.at.Add(40 * time.Minute)
	}
	for _, gs := range left {
		for _, g := range gs {
			k.ends(k.one, g)
		}
	}
	k.at = k.at.Add(2 * time.Hour)
	_, err := k.two.EndReservations(k.Context())
	assert.NoError(k, err)
	for _, r := range must2(k.two.Reservations(k.Context(), k.scope))(k) {
		assert.Zero(k, r.Until, "%s", r.Address)
		assert.NoError(k, k.one.Unreserve(k.Context(), r))
	}
	snap := must2(k.one.Snapshot(k.Context()))(k)
	assert.Empty(k, snap.Held, "nothing is lost")
}

func meant(err error) bool {
	var used *ipam.AddressInUseError
	var kept *ipam.ReservedError
	return err == nil || errors.As(err, &used) || errors.As(err, &kept) ||
		errors.Is(err, ipam.ErrExhausted) || errors.Is(err, ipam.ErrStale) || errors.Is(err, ipam.ErrNotFound)
}

type caller struct {
	*keeper
	s    Reserving
	name string
	has  []got
}

func (c *caller) step(i int) error {
	address, identity := fmt.Sprintf("10.0.0.%d", 2+rand.IntN(5)), fmt.Sprintf("p%d", rand.IntN(3))
	switch rand.IntN(8) {
	case 0, 1, 2:
		p := pod{container: fmt.Sprint(c.name, "-", i), name: identity}
		if rand.IntN(3) > 0 {
			p.sticky = &ipam.Sticky{Identity: "ns/" + identity, For: time.Duration(rand.IntN(2)) * time.Hour, Shared: rand.IntN(2) == 0}
		}
		if rand.IntN(3) == 0 {
			p.asks = address
		}
		g, err := c.take(c.s, p)
		if err == nil {
			c.has = append(c.has, g)
		}
		return err
	case 3, 4:
		if len(c.has) == 0 {
			return nil
		}
		at := rand.IntN(len(c.has))
		g := c.has[at]
		c.has = append(c.has[:at:at], c.has[at+1:]...)
		return g.end(c.s)
	case 5:
		r := c.reservation(address, "ns/"+identity, "")
		if rand.IntN(2) == 0 {
			r.Until = c.at.Add(time.Duration(1+rand.IntN(60)) * time.Minute)
		}
		_, err := c.s.Reserve(c.Context(), r)
		return err
	case 6:
		r, err := c.s.Reservation(c.Context(), c.scope, ip(address))
		if err != nil {
			return err
		}
		return c.s.Unreserve(c.Context(), r)
	default:
		_, err := c.s.EndReservations(c.Context())
		return err
	}
}
