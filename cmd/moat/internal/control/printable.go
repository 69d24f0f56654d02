package control

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// object is a JSON object.
type object map[string]any

// Printable is the topology for programs to read: objects with the properties
// that they have in the REST API, without links and without what is not set; each
// router and bridge holds what belongs to it.
func (t Topology) Printable() (any, error) {
	routers, err := each(t.Routers, func(r Router) (object, error) {
		ports, err1 := each(r.Ports, port)
		routes, err2 := each(r.Routes, func(x sdn.Route) (object, error) { return bare(wire.NewRoute(x)) })
		in, err3 := each(r.Inbound, rule)
		out, err4 := each(r.Outbound, rule)
		if err := firstOf(err1, err2, err3, err4); err != nil {
			return nil, err
		}
		o, err := bare(wire.NewRouter(r.Router))
		return o.with("namespace", r.Namespace).with("ports", ports).with("routes", routes).
			with("inboundRules", in).with("outboundRules", out), err
	})
	if err != nil {
		return nil, err
	}
	bridges, err := each(t.Bridges, func(b Bridge) (object, error) {
		ports, err := each(b.Ports, port)
		if err != nil {
			return nil, err
		}
		o, err := bare(wire.NewBridge(b.Bridge))
		return o.with("ports", ports), err
	})
	return object{"routers": routers, "bridges": bridges}, err
}

func port(p sdn.Port) (object, error) { return bare(wire.NewPort(p)) }
func rule(r sdn.Rule) (object, error) { return bare(wire.NewRule(r)) }

func each[T any](list []T, one func(T) (object, error)) ([]object, error) {
	all := make([]object, len(list))
	for i, x := range list {
		var err error
		if all[i], err = one(x); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// bare is a representation of the API without what is not set.
func bare(representation any) (object, error) {
	raw, err := json.Marshal(representation)
	if err != nil {
		return nil, fmt.Errorf("print %T: %w", representation, err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("print %T: %w", representation, err)
	}
	for key, value := range o {
		if list, ok := value.([]any); value == nil || ok && len(list) == 0 {
			delete(o, key)
		}
	}
	return o, nil
}

func (o object) with(key string, value any) object {
	if o != nil {
		o[key] = value
	}
	return o
}
