package nftnl

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/nft"
)

func sortTables(ts []nft.Table) {
	slices.SortFunc(ts, func(a, b nft.Table) int {
		if a.Family != b.Family {
			return strings.Compare(string(a.Family), string(b.Family))
		}
		return strings.Compare(a.Name, b.Name)
	})
}

// Apply changes the kernel from have, what Tables last returned, to want, in
// one transaction that holds only the differences. It returns how many messages
// that took, which is 0, with nothing sent, where nothing differs. A change
// behind the caller's back since have was read may make it fail as a whole; the
// caller reads again and repeats.
func (c *Conn) Apply(ctx context.Context, have, want []nft.Table) (int, error) {
	b := &builder{}
	for _, h := range have {
		if !slices.ContainsFunc(want, func(w nft.Table) bool { return sameTable(h, w) }) {
			b.delTable(h)
		}
	}
	for _, w := range want {
		i := slices.IndexFunc(have, func(h nft.Table) bool { return sameTable(h, w) })
		if i < 0 {
			b.changeTable(nft.Table{Family: w.Family, Name: w.Name}, w.Normal(), true)
			continue
		}
		h, w := have[i].Normal(), w.Normal()
		if redefined(h, w) {
			b.delTable(h)
			b.changeTable(nft.Table{Family: w.Family, Name: w.Name}, w, true)
			continue
		}
		b.changeTable(h, w, false)
	}
	return c.send(ctx, "apply nftables", b)
}

// Delete removes the tables whose name begins with prefix.
func (c *Conn) Delete(ctx context.Context, prefix string) error {
	have, err := c.Tables(ctx, prefix)
	if err != nil {
		return err
	}
	_, err = c.Apply(ctx, have, nil)
	return err
}

func (c *Conn) send(ctx context.Context, op string, b *builder) (int, error) {
	if b.err != nil {
		return 0, fmt.Errorf("%s: %w", op, b.err)
	}
	if len(b.messages) == 0 {
		return 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ready(ctx); err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	if err := c.commit(b.messages); err != nil {
		return 0, fmt.Errorf("%s: %d messages: %w", op, len(b.messages), err)
	}
	return len(b.messages), nil
}

func sameTable(a, b nft.Table) bool { return a.Family == b.Family && a.Name == b.Name }

// redefined reports whether the table, a set or a base chain changed its
// definition, which is done by making the table anew.
func redefined(have, want nft.Table) bool {
	if have.Flags != want.Flags {
		return true
	}
	for _, w := range want.Sets {
		if h, ok := have.Set(w.Name); ok && (h.Key != w.Key || h.Data != w.Data || h.Room != w.Room) {
			return true
		}
	}
	for _, w := range want.Chains {
		if h, ok := have.Chain(w.Name); ok && !reflect.DeepEqual(h.Base, w.Base) {
			return true
		}
	}
	return false
}

// builder collects the messages of a transaction.
type builder struct {
	messages []netlink.Message
	setID    uint32
	err      error
}

func (b *builder) add(kind int, family nft.Family, flags netlink.HeaderFlags, as ...netlink.Attribute) {
	m, err := message(kind, familyByte(family), flags, as)
	if err != nil {
		b.fail(err)
		return
	}
	b.messages = append(b.messages, m)
}

func (b *builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *builder) delTable(t nft.Table) {
	b.add(unix.NFT_MSG_DELTABLE, t.Family, 0, nameAttr(unix.NFTA_TABLE_NAME, t.Name))
}

// changeTable makes what refers to nothing first, then takes away what is
// referred to no more, then adds elements and rules.
func (b *builder) changeTable(have, want nft.Table, fresh bool) {
	if fresh {
		b.add(unix.NFT_MSG_NEWTABLE, want.Family, netlink.Create, nameAttr(unix.NFTA_TABLE_NAME, want.Name),
			number(unix.NFTA_TABLE_FLAGS, uint32(want.Flags)))
	}
	for _, s := range want.Sets {
		if _, ok := have.Set(s.Name); !ok {
			b.newSet(want, s)
		}
	}
	for _, c := range want.Chains {
		if _, ok := have.Chain(c.Name); !ok {
			b.newChain(want, c)
		}
	}
	b.takeAway(have, want)
	for _, s := range want.Sets {
		old, _ := have.Set(s.Name)
		b.elements(unix.NFT_MSG_NEWSETELEM, netlink.Create, want, s, missing(s.Elements, old.Elements))
	}
	for _, c := range want.Chains {
		old, _ := have.Chain(c.Name)
		if reflect.DeepEqual(old.Rules, c.Rules) {
			continue
		}
		for _, r := range c.Rules {
			b.newRule(want, c, r)
		}
	}
}

func (b *builder) takeAway(have, want nft.Table) {
	for _, s := range have.Sets {
		wanted, _ := want.Set(s.Name)
		b.elements(unix.NFT_MSG_DELSETELEM, 0, have, s, missing(s.Elements, wanted.Elements))
	}
	var gone []nft.Chain
	for _, c := range have.Chains {
		wanted, ok := want.Chain(c.Name)
		if len(c.Rules) > 0 && !reflect.DeepEqual(c.Rules, wanted.Rules) {
			b.add(unix.NFT_MSG_DELRULE, have.Family, 0,
				nameAttr(unix.NFTA_RULE_TABLE, have.Name), nameAttr(unix.NFTA_RULE_CHAIN, c.Name))
		}
		if !ok {
			gone = append(gone, c)
		}
	}
	for _, c := range gone {
		b.add(unix.NFT_MSG_DELCHAIN, have.Family, 0, nameAttr(unix.NFTA_CHAIN_TABLE, have.Name), nameAttr(unix.NFTA_CHAIN_NAME, c.Name))
	}
	for _, s := range have.Sets {
		if _, ok := want.Set(s.Name); !ok {
			b.add(unix.NFT_MSG_DELSET, have.Family, 0, nameAttr(unix.NFTA_SET_TABLE, have.Name), nameAttr(unix.NFTA_SET_NAME, s.Name))
		}
	}
}

// missing lists the elements of a that b has not, or has with other data.
func missing(a, b []nft.Element) []nft.Element {
	in := make(map[nft.Element]bool, len(b))
	for _, e := range b {
		in[e] = true
	}
	var out []nft.Element
	for _, e := range a {
		if !in[e] {
			out = append(out, e)
		}
	}
	return out
}

func (b *builder) newSet(t nft.Table, s nft.Set) {
	b.setID++
	as, err := encodeSet(t, s, b.setID)
	if err != nil {
		b.fail(err)
		return
	}
	b.add(unix.NFT_MSG_NEWSET, t.Family, netlink.Create, as...)
}

// elementsPerMessage keeps the list of a message below the 64 KiB that a
// netlink attribute can be long.
const elementsPerMessage = 256

func (b *builder) elements(kind int, flags netlink.HeaderFlags, t nft.Table, s nft.Set, es []nft.Element) {
	for part := range slices.Chunk(es, elementsPerMessage) {
		var as []netlink.Attribute
		for _, e := range part {
			a, err := encodeElement(s, e)
			if err != nil {
				b.fail(fmt.Errorf("set %s: %w", s.Name, err))
				return
			}
			as = append(as, a)
		}
		l, err := nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS, as...)
		if err != nil {
			b.fail(err)
			return
		}
		b.add(kind, t.Family, flags, nameAttr(unix.NFTA_SET_ELEM_LIST_TABLE, t.Name), nameAttr(unix.NFTA_SET_ELEM_LIST_SET, s.Name), l)
	}
}

func (b *builder) newChain(t nft.Table, c nft.Chain) {
	as := []netlink.Attribute{nameAttr(unix.NFTA_CHAIN_TABLE, t.Name), nameAttr(unix.NFTA_CHAIN_NAME, c.Name)}
	if c.Base != nil {
		hook, err := nest(unix.NFTA_CHAIN_HOOK,
			number(unix.NFTA_HOOK_HOOKNUM, uint32(slices.Index(hooks(), c.Base.Hook))),
			number(unix.NFTA_HOOK_PRIORITY, uint32(c.Base.Priority)))
		if err != nil {
			b.fail(err)
			return
		}
		policy := uint32(netfilterAccept)
		if c.Base.Policy == nft.PolicyDrop {
			policy = netfilterDrop
		}
		as = append(as, hook, number(unix.NFTA_CHAIN_POLICY, policy), nameAttr(unix.NFTA_CHAIN_TYPE, string(c.Base.Type)))
	}
	b.add(unix.NFT_MSG_NEWCHAIN, t.Family, netlink.Create, as...)
}

func (b *builder) newRule(t nft.Table, c nft.Chain, r nft.Rule) {
	exprs, err := encodeRule(r)
	if err != nil {
		b.fail(fmt.Errorf("chain %s: %w", c.Name, err))
		return
	}
	var list []netlink.Attribute
	for _, e := range exprs {
		data, err := expr.Marshal(familyByte(t.Family), e)
		if err != nil {
			b.fail(fmt.Errorf("chain %s: rule %q: %w", c.Name, r, err))
			return
		}
		list = append(list, netlink.Attribute{Type: unix.NFTA_LIST_ELEM | unix.NLA_F_NESTED, Data: data})
	}
	nested, err := nest(unix.NFTA_RULE_EXPRESSIONS, list...)
	if err != nil {
		b.fail(err)
		return
	}
	as := []netlink.Attribute{nameAttr(unix.NFTA_RULE_TABLE, t.Name), nameAttr(unix.NFTA_RULE_CHAIN, c.Name), nested}
	if r.Comment != "" {
		as = append(as, netlink.Attribute{Type: unix.NFTA_RULE_USERDATA, Data: userdata.AppendString(nil, userdata.TypeComment, r.Comment)})
	}
	b.add(unix.NFT_MSG_NEWRULE, t.Family, netlink.Create|unix.NLM_F_APPEND, as...)
}
