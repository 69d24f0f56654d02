package tenant

import (
	"context"
	"errors"
	"fmt"

	"github.com/moatnet/moat/sdn"
)

// keeper makes objects that may be there already. A create that meets
// sdn.ErrExists reads and compares, leaving aside what the server fills in;
// what can be put is put, any other difference is a *differs.
type keeper struct{ api sdn.API }

// differs says that an object exists and is not what it has to be, in a field
// that cannot be changed.
type differs struct {
	object, field string
	have, want    any
}

func (d *differs) Error() string {
	return fmt.Sprintf("%s exists with another %s: %v, not %v", d.object, d.field, d.have, d.want)
}

// field is one that is compared; put says that an update may change it.
type field struct {
	name       string
	have, want any
	put        bool
}

// compare reports whether an update is needed, or the first difference that
// none can mend.
func compare(object string, fields ...field) (update bool, err error) {
	for _, f := range fields {
		if f.have == f.want {
			continue
		}
		if !f.put {
			return false, &differs{object, f.name, f.have, f.want}
		}
		update = true
	}
	return update, nil
}

func (k keeper) router(ctx context.Context, want sdn.Router) error {
	what := "router " + want.Name
	_, err := k.api.CreateRouter(ctx, want)
	if !errors.Is(err, sdn.ErrExists) {
		return op("create "+what, err)
	}
	have, err := k.api.Router(ctx, want.ID)
	if err != nil {
		return op("read "+what, err)
	}
	update, err := compare(what,
		field{"tenantId", have.TenantID, want.TenantID, have.TenantID == ""},
		field{"name", have.Name, want.Name, true},
		field{"adminStateUp", have.AdminStateUp, want.AdminStateUp, true},
		field{"inboundFilterId", have.InboundFilter, want.InboundFilter, true},
		field{"outboundFilterId", have.OutboundFilter, want.OutboundFilter, true})
	if err != nil || !update {
		return err
	}
	want.ASNumber, want.LocalRedirect, want.Forward = have.ASNumber, have.LocalRedirect, have.Forward
	return op("update "+what, k.api.UpdateRouter(ctx, want))
}

func (k keeper) bridge(ctx context.Context, want sdn.Bridge) error {
	what := "bridge " + want.Name
	_, err := k.api.CreateBridge(ctx, want)
	if !errors.Is(err, sdn.ErrExists) {
		return op("create "+what, err)
	}
	have, err := k.api.Bridge(ctx, want.ID)
	if err != nil {
		return op("read "+what, err)
	}
	update, err := compare(what,
		field{"tenantId", have.TenantID, want.TenantID, false},
		field{"name", have.Name, want.Name, true},
		field{"adminStateUp", have.AdminStateUp, want.AdminStateUp, true})
	if err != nil || !update {
		return err
	}
	have.Name, have.AdminStateUp = want.Name, want.AdminStateUp
	return op("update "+what, k.api.UpdateBridge(ctx, have))
}

func (k keeper) chain(ctx context.Context, want sdn.Chain) error {
	what := "chain " + want.Name
	_, err := k.api.CreateChain(ctx, want)
	if !errors.Is(err, sdn.ErrExists) {
		return op("create "+what, err)
	}
	have, err := k.api.Chain(ctx, want.ID)
	if err != nil {
		return op("read "+what, err)
	}
	_, err = compare(what,
		field{"tenantId", have.TenantID, want.TenantID, false},
		field{"name", have.Name, want.Name, false})
	return err
}

// port makes a port, bound if want is. A port that is bound elsewhere differs.
func (k keeper) port(ctx context.Context, what string, want sdn.Port) error {
	what = fmt.Sprintf("%s port %s", what, want.ID)
	_, err := k.api.CreatePort(ctx, want)
	if !errors.Is(err, sdn.ErrExists) {
		return op("create "+what, err)
	}
	have, err := k.api.Port(ctx, want.ID)
	if err != nil {
		return op("read "+what, err)
	}
	unbound := have.Host == "" && have.Interface == ""
	fields := []field{
		{"type", have.Kind, want.Kind, false},
		{"deviceId", have.Device, want.Device, false},
		{"adminStateUp", have.AdminStateUp, want.AdminStateUp, true},
		{"portAddress", have.Address, want.Address, true},
	}
	if want.Host != "" {
		fields = append(fields,
			field{"hostId", have.Host, want.Host, unbound},
			field{"interfaceName", have.Interface, want.Interface, unbound})
	}
	update, err := compare(what, fields...)
	if err != nil || !update && sdn.SameSenders(have.Senders, want.Senders) {
		return err
	}
	have.AdminStateUp, have.Address, have.Senders = want.AdminStateUp, want.Address, want.Senders
	if unbound {
		have.Host, have.Interface = want.Host, want.Interface
	}
	return op("update "+what, k.api.UpdatePort(ctx, have))
}

// link joins two ports, or finds them joined.
func (k keeper) link(ctx context.Context, a, b sdn.PortID) error {
	err := k.api.Link(ctx, a, b)
	if !errors.Is(err, sdn.ErrConflict) {
		return op(fmt.Sprintf("link ports %s and %s", a, b), err)
	}
	have, err := k.api.Port(ctx, a)
	if err != nil {
		return op(fmt.Sprintf("read port %s", a), err)
	}
	if have.Peer == "" { // a is free, so it is b that is not
		return &differs{fmt.Sprintf("port %s", b), "peerId", "another port", a}
	}
	_, err = compare(fmt.Sprintf("port %s", a), field{"peerId", have.Peer, b, false})
	return err
}

func op(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
