package ipam

import (
	"fmt"
	"net/netip"
	"time"
)

// AttachmentState is where an attachment is in its life.
type AttachmentState string

// The states of an attachment.
const (
	// Adding: recorded; port and veth may or may not be there. With a living
	// owner it is that one's affair, after its deadline anyone's.
	Adding AttachmentState = "adding"
	// Added: known to have been made in full.
	Added AttachmentState = "added"
)

// Record is an attachment with its lease, one value in the store. It holds all
// that is needed to fulfil it and to undo it.
type Record struct {
	Schema int `json:"schema"`
	Attachment
	State    AttachmentState `json:"state"`
	Owner    string          `json:"owner"`    // agent instance
	Deadline time.Time       `json:"deadline"` // of the owner while Adding
	At       time.Time       `json:"at,omitzero"`

	Tenant       string `json:"tenant"`
	Generation   string `json:"generation"`
	PodNamespace string `json:"podNamespace,omitempty"`
	PodName      string `json:"podName,omitempty"`
	PodUID       string `json:"podUID,omitempty"`

	// Sticky keeps the address beyond the attachment's end; nil: it does not.
	Sticky *Sticky `json:"sticky,omitempty"`
	// Reserved is whose reservation the address has, to which it goes back; nil:
	// it has none. The store sets it.
	Reserved *Claimant `json:"reserved,omitempty"`

	Subnet  netip.Prefix   `json:"subnet"`
	Address netip.Addr     `json:"address"` // zero: entered, and not assigned yet
	Gateway netip.Addr     `json:"gateway"`
	Routes  []netip.Prefix `json:"routes,omitempty"`
	MTU     int            `json:"mtu"` // bytes

	Bridge string `json:"bridge"` // ID
	Port   string `json:"port"`   // ID
	Host   string `json:"host"`   // ID

	HostNS    string `json:"hostNetns"` // path; "" is the host's own
	Master    string `json:"master"`
	HostName  string `json:"hostInterface"`
	HostAlias string `json:"hostAlias"`
	HostMAC   string `json:"hostMAC"`
	PodNetns  string `json:"podNetns"` // as the runtime called it
	// PodInode is the inode of the pod's namespace in the boot BootID; 0: the
	// node cannot see what PodNetns names, and so not when it is gone.
	PodInode uint64 `json:"podInode,omitempty"`
	BootID   string `json:"bootID,omitempty"`
	PodMAC   string `json:"podMAC"`

	// Created and Revision are the store's, for fences; not stored.
	Created  int64 `json:"-"`
	Revision int64 `json:"-"`
}

// MAC is the hardware address of a pod that asked for none: 0a:58 and the four
// bytes of its address, so that neighbours' caches stay true when an address
// goes from one pod to the next.
func MAC(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("0a:58:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])
}
