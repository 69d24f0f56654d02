package nftnl_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/nft"
	"github.com/moatnet/moat/sdn/nftnl"
)

// small is a table with a chain for each name, called from a base chain, and a
// set of interfaces.
func small(interfaces []string, chains ...string) nft.Table {
	t := nft.Table{Family: nft.IP, Name: prefixed("small"), Sets: []nft.Set{
		{Name: "ports", Key: nft.TypeIfname},
		{Name: "by-port", Key: nft.TypeIfname, Data: nft.TypeVerdict},
	}}
	for i, name := range interfaces {
		t.Sets[0].Elements = append(t.Sets[0].Elements, nft.Element{Key: nft.Iface(name)})
		if len(chains) > 0 {
			t.Sets[1].Elements = append(t.Sets[1].Elements, nft.Element{Key: nft.Iface(name), Verdict: nft.Jump(chains[i%len(chains)])})
		}
	}
	base := nft.Chain{Name: "arrival", Base: &nft.Base{Type: nft.FilterChain, Hook: nft.Prerouting, Priority: -150, Policy: nft.PolicyAccept}}
	base.Rules = []nft.Rule{nft.NewRule(nft.Vmap{Field: nft.IIfName, Map: "by-port"})}
	for _, c := range chains {
		base.Rules = append(base.Rules, nft.NewRule(nft.Jump(c)))
		t.Chains = append(t.Chains, nft.Chain{Name: c, Rules: []nft.Rule{nft.NewRule(nft.Match{Field: nft.IIfName, Set: "ports", Not: true}, nft.Drop())}})
	}
	t.Chains = append(t.Chains, base)
	return t
}

func TestDialWithoutANamespace(t *testing.T) {
	_, err := nftnl.Dial(-1)
	require.ErrorIs(t, err, unix.EBADF)
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Close(null)) }()
	_, err = nftnl.Dial(null)
	require.Error(t, err)
}

func TestTransactionThatTheKernelRefusesChangesNothing(t *testing.T) {
	c := dial(t)
	good := small([]string{"a"}, "one")
	become(t, c, good)
	bad := small([]string{"a", "b"}, "one", "two")
	bad.Chains[0].Rules = append(bad.Chains[0].Rules, nft.NewRule(nft.Jump("nowhere")))
	_, err := c.Apply(context.Background(), []nft.Table{good.Normal()}, []nft.Table{bad})
	require.ErrorIs(t, err, unix.ENOENT)
	hold(t, c, good)
	become(t, c, small([]string{"a", "b"}, "one", "two"))
}

func TestWhatCannotBeWrittenIsNotSent(t *testing.T) {
	c := dial(t)
	for name, change := range map[string]func(*nft.Table){
		"statement": func(t *nft.Table) { t.Chains[0].Rules[0].Statements = []nft.Statement{nft.Unknown{What: "x"}} },
		"field": func(t *nft.Table) {
			t.Chains[0].Rules[0].Statements = []nft.Statement{nft.Match{Field: "nonsense", Value: nft.Uint8(1)}}
		},
		"field of a key": func(t *nft.Table) {
			t.Chains[0].Rules[0].Statements = []nft.Statement{nft.Lookup{Key: nft.Tuple{"nonsense"}, Set: "ports"}}
		},
		"key that is no part of a packet": func(t *nft.Table) {
			t.Chains[0].Rules[0].Statements = []nft.Statement{nft.Update{Key: nft.Tuple{nft.Mark}, Set: "ports"}}
		},
		"long key": func(t *nft.Table) {
			t.Chains[0].Rules[0].Statements = []nft.Statement{nft.Remove{Key: slices.Repeat(nft.Tuple{nft.IPSrc}, 17), Set: "ports"}}
		},
		"key":     func(t *nft.Table) { t.Sets[0].Key = "nonsense" },
		"data":    func(t *nft.Table) { t.Sets[1].Data = "nonsense" },
		"verdict": func(t *nft.Table) { t.Sets[1].Elements[0].Verdict = nft.Verdict{Kind: "nonsense"} },
	} {
		t.Run(name, func(t *testing.T) {
			table := small([]string{"a"}, "one")
			change(&table)
			_, err := c.Apply(context.Background(), nil, []nft.Table{table})
			require.Error(t, err)
			hold(t, c)
		})
	}
}

func TestContextEndsACall(t *testing.T) {
	c := dial(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := c.Tables(ctx, prefix)
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Apply(ctx, nil, []nft.Table{small(nil, "one")})
	require.ErrorIs(t, err, context.Canceled)
	late, stop := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer stop()
	_, err = c.Tables(late, prefix)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	hold(t, c)
}

func TestChangesCostWhatTheyAre(t *testing.T) {
	c := dial(t)
	become(t, c, small([]string{"a", "b"}, "one", "two"))
	// One message adds the element to the set, one to the map.
	require.Equal(t, 2, become(t, c, small([]string{"a", "b", "c"}, "one", "two")))
	require.Equal(t, 2, become(t, c, small([]string{"a", "b"}, "one", "two")))
	changed := small([]string{"a", "b"}, "one", "two")
	changed.Chains[0].Rules = []nft.Rule{nft.NewRule(nft.Drop())}
	require.Equal(t, 2, become(t, c, changed), "flush the chain, add its rule")
	moved := small([]string{"a", "b"}, "two", "one")
	require.Positive(t, become(t, c, moved), "elements with other data")
	require.Positive(t, become(t, c, small([]string{"a"}, "three")), "chains in use go and come")
	dropAll := small([]string{"a"}, "three")
	dropAll.Chains[1].Base.Policy = nft.PolicyDrop
	require.Positive(t, become(t, c, dropAll), "another policy")
	retyped := small(nil)
	retyped.Sets[0].Key = nft.TypeIPv4
	require.Positive(t, become(t, c, retyped), "another type of set")
	require.Equal(t, 1, become(t, c), "delete the table")
}

func TestManyElements(t *testing.T) {
	c := dial(t)
	var names []string
	for i := range 3000 {
		names = append(names, fmt.Sprintf("moat%011x", i))
	}
	become(t, c, small(names, "one"))
	require.Equal(t, 2, become(t, c, small(names[1:], "one")))
}

func TestOtherTablesAreLeftAlone(t *testing.T) {
	c := dial(t)
	ctx := context.Background()
	foreign := small([]string{"x"}, "theirs")
	foreign.Name = "kube-proxy"
	_, err := c.Apply(ctx, nil, []nft.Table{foreign})
	require.NoError(t, err)
	become(t, c, small([]string{"a"}, "one"))
	require.NoError(t, c.Delete(ctx, prefix))
	hold(t, c)
	left, err := c.Tables(ctx, "kube-proxy")
	require.NoError(t, err)
	require.Equal(t, []nft.Table{foreign.Normal()}, left)
}

func TestForeignHandIsSeenAndUndone(t *testing.T) {
	ns := newNamespace(t)
	dialled := func() *nftnl.Conn {
		c, err := nftnl.Dial(ns)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		return c
	}
	ours, theirs := dialled(), dialled()
	want := small([]string{"a", "b"}, "one", "two")
	ctx := context.Background()
	for name, change := range map[string]func(*nft.Table){
		"flush": func(t *nft.Table) {
			for i := range t.Chains {
				t.Chains[i].Rules = nil
			}
			for i := range t.Sets {
				t.Sets[i].Elements = nil
			}
		},
		"put to sleep":  func(t *nft.Table) { t.Flags = nft.Dormant },
		"delete chains": func(t *nft.Table) { t.Chains, t.Sets = nil, nil },
		"insert": func(t *nft.Table) {
			t.Chains[0].Rules = slices.Insert(slices.Clone(t.Chains[0].Rules), 0, nft.NewRule(nft.Accept()))
		},
		"add": func(t *nft.Table) {
			t.Chains = append(slices.Clone(t.Chains), nft.Chain{Name: "theirs"})
			t.Sets = append(slices.Clone(t.Sets), nft.Set{Name: "theirs", Key: nft.TypeIPv4})
		},
	} {
		t.Run(name, func(t *testing.T) {
			become(t, ours, want)
			have, err := theirs.Tables(ctx, prefix)
			require.NoError(t, err)
			changed := have[0]
			changed.Chains, changed.Sets = slices.Clone(changed.Chains), slices.Clone(changed.Sets)
			change(&changed)
			_, err = theirs.Apply(ctx, have, []nft.Table{changed})
			require.NoError(t, err)
			require.Positive(t, become(t, ours, want))
		})
	}
}

// A set that rules fill is made anew when its room changes, and only then.
func TestRoomOfASet(t *testing.T) {
	c := dial(t)
	become(t, c, bridgeTable())
	other := bridgeTable()
	other.Chains[0].Rules = other.Chains[0].Rules[:1]
	require.Equal(t, 2, become(t, c, other), "flush the chain, add its rule")
	other.Sets[0].Room++
	require.Greater(t, become(t, c, other), 2)
}

// What the model does not know is read as unknown, never overlooked.
func TestUnknownExpressionIsSeenAndUndone(t *testing.T) {
	ns := newNamespace(t)
	c, err := nftnl.Dial(ns)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	want := small([]string{"a"}, "one")
	become(t, c, want)

	theirs, err := nftables.New(nftables.WithNetNSFd(ns))
	require.NoError(t, err)
	table := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: want.Name}
	theirs.AddRule(&nftables.Rule{Table: table, Chain: &nftables.Chain{Name: "one", Table: table}, Exprs: []expr.Any{
		&expr.Limit{Type: expr.LimitTypePkts, Rate: 1, Unit: expr.LimitTimeSecond}, &expr.Verdict{Kind: expr.VerdictAccept}}})
	require.NoError(t, theirs.Flush())

	have, err := c.Tables(context.Background(), prefix)
	require.NoError(t, err)
	one, ok := have[0].Chain("one")
	require.True(t, ok)
	require.Equal(t, nft.NewRule(nft.Unknown{What: "limit"}, nft.Accept()), one.Rules[1])
	require.Positive(t, become(t, c, want))

	pairs := &nftables.Set{Table: table, Name: "pairs", Concatenation: true, KeyType: nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeIPAddr)}
	require.NoError(t, theirs.AddSet(pairs, nil))
	for _, theirRule := range [][]expr.Any{
		{&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4},
			&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: unix.NFT_REG_2, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}},
		{&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4},
			&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: unix.NFT_REG32_01, Base: expr.PayloadBaseNetworkHeader, Offset: 17, Len: 2},
			&expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: "pairs"}},
	} {
		theirs.AddRule(&nftables.Rule{Table: table, Chain: &nftables.Chain{Name: "one", Table: table}, Exprs: theirRule})
	}
	require.NoError(t, theirs.Flush())
	have, err = c.Tables(context.Background(), prefix)
	require.NoError(t, err)
	require.Contains(t, nft.Print(have), "# unknown: payload")
	require.Contains(t, nft.Print(have), "# unknown: lookup")
	require.Positive(t, become(t, c, want))
}
