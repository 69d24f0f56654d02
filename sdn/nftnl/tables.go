package nftnl

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/nft"
)

// reading is what Tables returned, and the kernel's generation of the ruleset
// at the time. Every transaction of anyone makes a new generation.
type reading struct {
	valid      bool
	generation uint32
	prefix     string
	tables     []nft.Table
}

// Tables reads the tables whose name begins with prefix, in the form that
// nft.Table.Normal gives, ordered by family and name. Where the kernel says that
// nobody changed anything since the last call, that costs one message. What it
// returns must not be changed.
func (c *Conn) Tables(ctx context.Context, prefix string) ([]nft.Table, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ready(ctx); err != nil {
		return nil, fmt.Errorf("read nftables: %w", err)
	}
	before, err := c.generation()
	if err != nil {
		return nil, fmt.Errorf("read nftables: %w", err)
	}
	if c.seen.valid && c.seen.generation == before && c.seen.prefix == prefix {
		return c.seen.tables, nil
	}
	found, err := c.read(prefix)
	if err != nil {
		return nil, fmt.Errorf("read nftables: %w", err)
	}
	after, err := c.generation()
	if err != nil {
		return nil, fmt.Errorf("read nftables: %w", err)
	}
	c.seen = reading{valid: before == after, generation: after, prefix: prefix, tables: found}
	return found, nil
}

func (c *Conn) generation() (uint32, error) {
	m, err := message(unix.NFT_MSG_GETGEN, unix.NFPROTO_UNSPEC, 0, nil)
	if err != nil {
		return 0, err
	}
	reply, err := c.nl.Execute(m)
	if err != nil {
		c.abandon()
		return 0, err
	}
	var n uint32
	for _, m := range reply {
		err = attributes(m, func(ad *netlink.AttributeDecoder) error {
			if ad.Type() == unix.NFTA_GEN_ID {
				n = ad.Uint32()
			}
			return nil
		})
	}
	return n, err
}

func (c *Conn) read(prefix string) ([]nft.Table, error) {
	found, err := c.list(prefix)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	chains, err := c.chains()
	if err != nil {
		return nil, err
	}
	for i := range found {
		t := &found[i]
		t.Chains = chains[tableKey{t.Family, t.Name}]
		if err := c.fill(t); err != nil {
			return nil, fmt.Errorf("table %s %s: %w", t.Family, t.Name, err)
		}
		*t = t.Normal()
	}
	sortTables(found)
	return found, nil
}

// Verdicts of netfilter that a chain's policy can be (linux/netfilter.h).
const (
	netfilterDrop   = 0
	netfilterAccept = 1
)

type tableKey struct {
	family nft.Family
	name   string
}

func familyByte(f nft.Family) byte {
	switch f {
	case nft.IP6:
		return unix.NFPROTO_IPV6
	case nft.Bridge:
		return unix.NFPROTO_BRIDGE
	}
	return unix.NFPROTO_IPV4
}

func familyOf(b byte) (nft.Family, bool) {
	switch b {
	case unix.NFPROTO_IPV4:
		return nft.IP, true
	case unix.NFPROTO_IPV6:
		return nft.IP6, true
	case unix.NFPROTO_BRIDGE:
		return nft.Bridge, true
	}
	return "", false
}

// attributes calls f for each attribute of an nfnetlink message.
func attributes(m netlink.Message, f func(*netlink.AttributeDecoder) error) error {
	if len(m.Data) < 4 {
		return fmt.Errorf("message of %d bytes", len(m.Data))
	}
	return each(m.Data[4:], f)
}

func each(b []byte, f func(*netlink.AttributeDecoder) error) error {
	ad, err := decodeAttributes(b)
	if err != nil {
		return err
	}
	for ad.Next() {
		if err := f(ad); err != nil {
			return err
		}
	}
	return ad.Err()
}

func (c *Conn) list(prefix string) ([]nft.Table, error) {
	ms, err := c.dump(unix.NFT_MSG_GETTABLE, unix.NFPROTO_UNSPEC)
	if err != nil {
		return nil, err
	}
	var out []nft.Table
	for _, m := range ms {
		var t nft.Table
		err := attributes(m, func(ad *netlink.AttributeDecoder) error {
			switch ad.Type() {
			case unix.NFTA_TABLE_NAME:
				t.Name = ad.String()
			case unix.NFTA_TABLE_FLAGS:
				t.Flags = nft.TableFlags(ad.Uint32())
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		var known bool
		if t.Family, known = familyOf(m.Data[0]); known && strings.HasPrefix(t.Name, prefix) {
			out = append(out, t)
		}
	}
	return out, nil
}

func (c *Conn) chains() (map[tableKey][]nft.Chain, error) {
	ms, err := c.dump(unix.NFT_MSG_GETCHAIN, unix.NFPROTO_UNSPEC)
	if err != nil {
		return nil, err
	}
	out := map[tableKey][]nft.Chain{}
	for _, m := range ms {
		f, known := familyOf(m.Data[0])
		if !known {
			continue
		}
		table, chain, err := decodeChain(m)
		if err != nil {
			return nil, err
		}
		k := tableKey{f, table}
		out[k] = append(out[k], chain)
	}
	return out, nil
}

func decodeChain(m netlink.Message) (table string, c nft.Chain, err error) {
	var base nft.Base
	var hooked bool
	err = attributes(m, func(ad *netlink.AttributeDecoder) error {
		switch ad.Type() {
		case unix.NFTA_CHAIN_TABLE:
			table = ad.String()
		case unix.NFTA_CHAIN_NAME:
			c.Name = ad.String()
		case unix.NFTA_CHAIN_TYPE:
			base.Type = nft.ChainType(ad.String())
		case unix.NFTA_CHAIN_POLICY:
			base.Policy = nft.PolicyDrop
			if ad.Uint32() == netfilterAccept {
				base.Policy = nft.PolicyAccept
			}
		case unix.NFTA_CHAIN_HOOK:
			hooked = true
			return each(ad.Bytes(), func(ad *netlink.AttributeDecoder) error {
				switch ad.Type() {
				case unix.NFTA_HOOK_HOOKNUM:
					base.Hook = hookOf(ad.Uint32())
				case unix.NFTA_HOOK_PRIORITY:
					base.Priority = int32(ad.Uint32())
				}
				return nil
			})
		}
		return nil
	})
	if hooked {
		c.Base = &base
	}
	return table, c, err
}

func hooks() []nft.Hook {
	return []nft.Hook{unix.NF_INET_PRE_ROUTING: nft.Prerouting, unix.NF_INET_LOCAL_IN: nft.Input, unix.NF_INET_FORWARD: nft.Forward, unix.NF_INET_LOCAL_OUT: nft.Output, unix.NF_INET_POST_ROUTING: nft.Postrouting}
}

func hookOf(n uint32) nft.Hook {
	if hs := hooks(); n < uint32(len(hs)) {
		return hs[n]
	}
	return nft.Hook(fmt.Sprintf("hook-%d", n))
}

// fill reads the rules, sets and elements of a table.
func (c *Conn) fill(t *nft.Table) error {
	f := familyByte(t.Family)
	ms, err := c.dump(unix.NFT_MSG_GETRULE, f, nameAttr(unix.NFTA_RULE_TABLE, t.Name))
	if err != nil {
		return err
	}
	rules := map[string][]nft.Rule{}
	for _, m := range ms {
		chain, rule, err := decodeRuleMessage(f, m)
		if err != nil {
			return err
		}
		rules[chain] = append(rules[chain], rule)
	}
	for i := range t.Chains {
		t.Chains[i].Rules = rules[t.Chains[i].Name]
	}
	if t.Sets, err = c.sets(f, t.Name); err != nil {
		return err
	}
	return nil
}

func nameAttr(kind uint16, name string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: append([]byte(name), 0)}
}

func decodeRuleMessage(family byte, m netlink.Message) (chain string, r nft.Rule, err error) {
	var exprs [][]byte
	err = attributes(m, func(ad *netlink.AttributeDecoder) error {
		switch ad.Type() {
		case unix.NFTA_RULE_CHAIN:
			chain = ad.String()
		case unix.NFTA_RULE_USERDATA:
			r.Comment, _ = userdata.GetString(ad.Bytes(), userdata.TypeComment)
		case unix.NFTA_RULE_EXPRESSIONS:
			return each(ad.Bytes(), func(ad *netlink.AttributeDecoder) error {
				exprs = append(exprs, bytes.Clone(ad.Bytes()))
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return "", nft.Rule{}, err
	}
	r.Statements, err = decodeRule(family, exprs)
	return chain, r, err
}
