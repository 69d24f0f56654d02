package control

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// TestRuleTextHidesNoCondition sets each field of a condition alone, and with
// its inverse: both must show.
func TestRuleTextHidesNoCondition(t *testing.T) {
	bare := RuleText(sdn.Rule{Type: sdn.RuleDrop})
	kind := reflect.TypeFor[sdn.Condition]()
	for i := range kind.NumField() {
		name := kind.Field(i).Name
		if strings.HasPrefix(name, "Inv") && name != "Invert" || strings.HasSuffix(name, "Mask") {
			continue
		}
		var r sdn.Rule
		r.Type = sdn.RuleDrop
		c := reflect.ValueOf(&r.Condition).Elem()
		c.Field(i).Set(some(t, c.Field(i).Type()))
		text := RuleText(r)
		require.NotEqual(t, bare, text, name)
		if inv := c.FieldByName("Inv" + name); inv.IsValid() {
			inv.SetBool(true)
			require.NotEqual(t, text, RuleText(r), "Inv"+name)
		}
		if mask := c.FieldByName(name + "Mask"); mask.IsValid() {
			mask.SetString("ffff.0000.0000")
			require.Contains(t, RuleText(r), "/ffff.0000.0000", name)
		}
	}
}

func some(t *testing.T, kind reflect.Type) reflect.Value {
	for _, v := range []any{true, new(7), netip.MustParsePrefix("192.0.2.0/24"), &sdn.PortRange{Start: 1, End: 2},
		[]sdn.PortID{"11111111-1111-4111-8111-111111111111"}} {
		if reflect.TypeOf(v) == kind {
			return reflect.ValueOf(v)
		}
	}
	require.Equal(t, reflect.String, kind.Kind(), "a kind of condition that this test does not know: %s", kind)
	return reflect.ValueOf("x").Convert(kind)
}
