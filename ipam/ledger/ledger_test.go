package ledger_test

import (
	"testing"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ipamtest"
	"github.com/moatnet/moat/ipam/ledger"
)

func TestLedgerInMemory(t *testing.T) {
	ipamtest.TestStore(t, func(*testing.T) ipamtest.Open {
		kv := ledger.NewMemory()
		return func(o ipamtest.Options) ipam.Store {
			return ledger.New(kv, ledger.Options{AddressCoolDown: o.AddressCoolDown, SlotCoolDown: o.SlotCoolDown, Ports: o.Ports, Now: o.Now})
		}
	})
}
