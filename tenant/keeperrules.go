package tenant

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/moatnet/moat/sdn"
)

func (k keeper) route(ctx context.Context, want sdn.Route) error {
	what := fmt.Sprintf("route to %s on router %s", want.Dst, want.Router)
	_, err := k.api.CreateRoute(ctx, want)
	if !errors.Is(err, sdn.ErrExists) {
		return op("create "+what, err)
	}
	have, err := k.api.Route(ctx, want.ID)
	if err != nil {
		return op("read "+what, err)
	}
	_, err = compare(what,
		field{"routerId", have.Router, want.Router, false},
		field{"type", have.Type, want.Type, false},
		field{"srcNetwork", have.Src, want.Src, false},
		field{"dstNetwork", have.Dst, want.Dst, false},
		field{"nextHopPort", have.NextHopPort, want.NextHopPort, false},
		field{"nextHopGateway", have.Gateway, want.Gateway, false},
		field{"weight", have.Weight, want.Weight, false})
	return err
}

// rules makes a chain hold the wanted rules in their order, whatever rules of
// others stand between them. Each is made behind its predecessor, so that two
// who do this at once come to the same chain.
func (k keeper) rules(ctx context.Context, chain sdn.Chain, want []sdn.Rule) error {
	list, err := k.api.Rules(ctx, chain.ID)
	if err != nil {
		return op("list rules of chain "+chain.Name, err)
	}
	position := map[sdn.RuleID]int{}
	for i, r := range list {
		position[r.ID] = i + 1
	}
	last := 0
	for _, r := range want {
		if p, ok := position[r.ID]; ok {
			last = max(last, p)
			continue
		}
		last++
		r.Position = last
		if err := k.rule(ctx, chain, r); err != nil {
			return err
		}
		for id, p := range position {
			if p >= last {
				position[id] = p + 1
			}
		}
	}
	return nil
}

func (k keeper) rule(ctx context.Context, chain sdn.Chain, want sdn.Rule) error {
	what := fmt.Sprintf("%s rule %d of chain %s", want.Type, want.Position, chain.Name)
	_, err := k.api.CreateRule(ctx, want)
	if !errors.Is(err, sdn.ErrExists) {
		return op("create "+what, err)
	}
	have, err := k.api.Rule(ctx, want.ID)
	if err != nil {
		return op("read "+what, err)
	}
	_, err = compare(what,
		field{"chainId", have.Chain, want.Chain, false},
		field{"type", have.Type, want.Type, false},
		field{"flowAction", have.FlowAction, want.FlowAction, false},
		field{"natTargets", text(have.NATTargets), text(want.NATTargets), false})
	if err != nil {
		return err
	}
	if !sameCondition(have.Condition, want.Condition) {
		return &differs{what, "condition", text(have.Condition), text(want.Condition)}
	}
	return nil
}

func text(v any) string { return fmt.Sprintf("%+v", v) }

// sameCondition compares what a condition selects: no ports and an empty list
// of them are the same.
func sameCondition(a, b sdn.Condition) bool {
	for _, c := range []*sdn.Condition{&a, &b} {
		if len(c.InPorts) == 0 {
			c.InPorts = nil
		}
		if len(c.OutPorts) == 0 {
			c.OutPorts = nil
		}
	}
	return reflect.DeepEqual(a, b)
}

// gone turns "not found" into success, for deletes.
func gone(err error) error {
	if errors.Is(err, sdn.ErrNotFound) {
		return nil
	}
	return err
}
