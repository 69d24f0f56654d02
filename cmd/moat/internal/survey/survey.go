package survey

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/audit"
	"github.com/moatnet/moat/sdn"
)

// Ports lists the ports of one device, or all for the zero device.
type Ports interface {
	Ports(ctx context.Context, device sdn.DeviceID) ([]sdn.Port, error)
}

// Survey looks at what is outside the store.
type Survey struct {
	Ports Ports
	Node  *Node // nil: no node is looked at
}

// Facts gathers what s is to be compared with. s must have been read before: of what
// is made meanwhile the record comes first.
func (v Survey) Facts(ctx context.Context, s ipam.Snapshot) (audit.Facts, error) {
	f := audit.Facts{Now: time.Now(), Ports: map[string]audit.Port{}}
	all, err := v.Ports.Ports(ctx, "")
	if err != nil {
		return audit.Facts{}, fmt.Errorf("list the SDN's ports: %w", err)
	}
	for _, p := range all {
		f.Ports[string(p.ID)] = audit.Port{ID: string(p.ID), Device: string(p.Device), Host: string(p.Host),
			Interface: p.Interface, Active: p.Active, Pod: ofPod(p)}
	}
	if v.Node != nil {
		f.Node, err = v.Node.look(ctx, s)
	}
	return f, err
}

// ofPod says whether a port is like those that are made for pods: bound, with an
// ID that was derived (RFC 9562, section 5.5) and an interface called after it.
func ofPod(p sdn.Port) bool {
	id, err := uuid.Parse(string(p.ID))
	return err == nil && id.Version() == 5 && p.Kind == sdn.BridgePort && p.Host != "" && p.Interface == sdn.InterfaceName(p.ID)
}
