package dataplane

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"

	"github.com/moatnet/moat/sdn/effect"
)

// ForeignChain is a base chain of someone else's at the forward hook that drops
// what it does not know. An accept in a table of Moat's does not help there: a
// packet must pass every chain.
type ForeignChain struct {
	Family byte // NFPROTO_IPV4 or NFPROTO_INET
	Table  string
	Chain  string
	Drops  bool          // policy drop
	Rules  []ForeignRule // those with the stamp that was asked for
}

// ForeignRule is an accept rule of Moat's in such a chain.
type ForeignRule struct {
	Handle uint64
	In     bool // for what comes in by the interface; else for what goes out
}

func (c ForeignChain) chain() *nftables.Chain {
	table := &nftables.Table{Family: nftables.TableFamily(c.Family), Name: c.Table}
	return &nftables.Chain{Name: c.Chain, Table: table}
}

// ForeignForward implements Space.
func (s *linuxSpace) ForeignForward(stamp string) ([]ForeignChain, error) {
	conn, err := nftables.New(nftables.WithNetNSFd(s.FD()))
	if err != nil {
		return nil, fmt.Errorf("foreign forward chains: %w", err)
	}
	chains, err := conn.ListChains()
	if err != nil {
		return nil, fmt.Errorf("list nftables chains: %w", err)
	}
	var out []ForeignChain
	for _, c := range chains {
		v4 := c.Table.Family == nftables.TableFamilyIPv4 || c.Table.Family == nftables.TableFamilyINet
		own := c.Table.Name == s.kernel.hostTable
		if !v4 || own || c.Type != nftables.ChainTypeFilter || c.Hooknum == nil || *c.Hooknum != *nftables.ChainHookForward {
			continue
		}
		f := ForeignChain{
			Family: byte(c.Table.Family), Table: c.Table.Name, Chain: c.Name,
			Drops: c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop,
		}
		if f.Rules, err = stampedRules(conn, f, stamp); err != nil {
			return nil, err
		}
		if f.Drops || len(f.Rules) > 0 {
			out = append(out, f)
		}
	}
	return out, nil
}

func stampedRules(conn *nftables.Conn, c ForeignChain, stamp string) ([]ForeignRule, error) {
	rules, err := conn.GetRules(c.chain().Table, c.chain())
	if err != nil {
		return nil, fmt.Errorf("list rules of chain %s %s: %w", c.Table, c.Chain, err)
	}
	var out []ForeignRule
	for _, r := range rules {
		comment, ok := userdata.GetString(r.UserData, userdata.TypeComment)
		if !ok || strings.TrimRight(comment, "\x00") != stamp || len(r.Exprs) == 0 {
			continue
		}
		m, _ := r.Exprs[0].(*expr.Meta)
		out = append(out, ForeignRule{Handle: r.Handle, In: m != nil && m.Key == expr.MetaKeyIIFNAME})
	}
	return out, nil
}

// Admit implements Space. The rule has the form in which iptables-nft writes
// its own, so that this tool still reads the chain.
func (s *linuxSpace) Admit(c ForeignChain, dev, stamp string, in bool) error {
	conn, err := nftables.New(nftables.WithNetNSFd(s.FD()))
	if err != nil {
		return fmt.Errorf("accept %s in chain %s %s: %w", dev, c.Table, c.Chain, err)
	}
	key := expr.MetaKeyOIFNAME
	if in {
		key = expr.MetaKeyIIFNAME
	}
	conn.InsertRule(&nftables.Rule{
		Table: c.chain().Table, Chain: c.chain(),
		Exprs: []expr.Any{
			&expr.Meta{Key: key, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: append([]byte(dev), 0)},
			&expr.Counter{},
			&expr.Verdict{Kind: expr.VerdictAccept},
		},
		UserData: userdata.AppendString(nil, userdata.TypeComment, stamp),
	})
	if err := effect.Do(effect.Nftables, "accept an interface in a chain of others", conn.Flush); err != nil {
		return fmt.Errorf("accept %s in chain %s %s: %w", dev, c.Table, c.Chain, err)
	}
	return nil
}

// Retract implements Space.
func (s *linuxSpace) Retract(c ForeignChain, r ForeignRule) error {
	conn, err := nftables.New(nftables.WithNetNSFd(s.FD()))
	if err != nil {
		return fmt.Errorf("retract rule from chain %s %s: %w", c.Table, c.Chain, err)
	}
	err = conn.DelRule(&nftables.Rule{Table: c.chain().Table, Chain: c.chain(), Handle: r.Handle})
	if err == nil {
		err = effect.Do(effect.Nftables, "take an accept out of a chain of others", conn.Flush)
	}
	if err != nil {
		return fmt.Errorf("retract rule from chain %s %s: %w", c.Table, c.Chain, err)
	}
	return nil
}

// LegacyFilter implements Space.
func (s *linuxSpace) LegacyFilter() (found bool, err error) {
	err = inside(s.ns, func() error {
		b, err := os.ReadFile("/proc/thread-self/net/ip_tables_names")
		if os.IsNotExist(err) {
			return nil
		}
		found = slices.Contains(strings.Fields(string(b)), "filter")
		return err
	})
	return found, err
}
