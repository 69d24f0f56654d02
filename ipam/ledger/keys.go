package ledger

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/moatnet/moat/ipam"
)

const (
	keyInstallation = "installation"
	tenantsPrefix   = "tenants/"
	subnetSlots     = "slots/subnet/"
	transitSlots    = "slots/transit/"
	keyNetworks     = "networks"
	keyRanges       = "ranges"
	rangesPrefix    = "ranges/"

	attachmentsPrefix  = "attachments/"
	holdingsPrefix     = "holdings/"
	reservationsPrefix = "reservations/"
	endingsPrefix      = "endings/"
)

func tenantKey(name string) string           { return tenantsPrefix + name }
func slotKey(prefix string, slot int) string { return fmt.Sprintf("%s%08d", prefix, slot) }
func poolSlots(pool string) string           { return "slots/pool/" + pool + "/" }
func rangesOf(tenant string) string          { return rangesPrefix + tenant + "/" }
func addressesOf(tenant string) string       { return "addresses/" + tenant + "/" }
func freedOf(tenant string) string           { return "freed/" + tenant + "/" }
func attachmentsOf(node, network string) string {
	if network == "" {
		return attachmentsPrefix + node + "/"
	}
	return attachmentsPrefix + node + "/" + network + "/"
}

func poolAddresses(pool string) string { return "pools/" + pool + "/addresses/" }
func poolFreed(pool string) string     { return "pools/" + pool + "/freed/" }

func holdingsOf(node, network string) string {
	return holdingsPrefix + strings.TrimPrefix(attachmentsOf(node, network), attachmentsPrefix)
}

func holdingKey(a ipam.Attachment) string {
	return holdingsOf(a.Node, a.Network) + a.ContainerID + "/" + a.IfName
}

func attachmentKey(a ipam.Attachment) string {
	return attachmentsOf(a.Node, a.Network) + a.ContainerID + "/" + a.IfName
}

// slotsOf is the prefix of the slots that a tenant's subnets are carved from.
func slotsOf(t ipam.Tenant) string {
	if t.Pool == "" {
		return subnetSlots
	}
	return poolSlots(t.Pool)
}

// sortable writes an address so that keys sort as addresses of a family do.
func sortable(a netip.Addr) string {
	if !a.Is4() {
		return a.StringExpanded()
	}
	b := a.As4()
	return fmt.Sprintf("%03d.%03d.%03d.%03d", b[0], b[1], b[2], b[3])
}

func unsortable(s string) (netip.Addr, error) {
	if strings.ContainsRune(s, ':') {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return a, fmt.Errorf("address key %q: %w", s, ipam.ErrCorrupt)
		}
		return a, nil
	}
	var b [4]byte
	if _, err := fmt.Sscanf(s, "%d.%d.%d.%d", &b[0], &b[1], &b[2], &b[3]); err != nil {
		return netip.Addr{}, fmt.Errorf("address key %q: %w", s, ipam.ErrCorrupt)
	}
	return netip.AddrFrom4(b), nil
}

// span are the keys under prefix of the addresses of a subnet.
func span(prefix string, subnet netip.Prefix) (key, end string) {
	last := ipam.Nth(subnet, size(subnet)-1)
	return prefix + sortable(subnet.Addr()), prefix + sortable(last) + "\x00"
}

func size(p netip.Prefix) int { return 1 << (32 - p.Bits()) }

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return b, nil
}

func decodeTenant(p Pair) (ipam.Tenant, error) {
	var t ipam.Tenant
	err := decode(p, &t, &t.Schema)
	t.Revision = p.Mod
	return t, err
}

func decodeRecord(p Pair) (ipam.Record, error) {
	var r ipam.Record
	err := decode(p, &r, &r.Schema)
	r.Created, r.Revision = p.Create, p.Mod
	return r, err
}

// parseAttachment reads an attachment from its key.
func parseAttachment(key string) (ipam.Attachment, error) {
	f := strings.Split(key, "/")
	if len(f) != 5 {
		return ipam.Attachment{}, fmt.Errorf("attachment key %q: %w", key, ipam.ErrCorrupt)
	}
	return ipam.Attachment{Node: f[1], Network: f[2], ContainerID: f[3], IfName: f[4]}, nil
}
