package storedtest

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"time"
)

// Filled returns a T in which every field that is stored says something, always the
// same. It panics for a type of which it cannot make a value.
func Filled[T any]() T {
	var v T
	fill(reflect.ValueOf(&v).Elem())
	return v
}

// known are values of types that have a form of their own.
var known = map[reflect.Type]any{
	reflect.TypeFor[netip.Addr]():      netip.MustParseAddr("10.1.2.3"),
	reflect.TypeFor[netip.Prefix]():    netip.MustParsePrefix("10.1.0.0/16"),
	reflect.TypeFor[time.Time]():       time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC),
	reflect.TypeFor[time.Duration]():   90 * time.Second,
	reflect.TypeFor[json.RawMessage](): json.RawMessage(`"text"`),
}

func fill(v reflect.Value) {
	if value, ok := known[v.Type()]; ok {
		v.Set(reflect.ValueOf(value))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
				fill(v.Field(i))
			}
		}
	default:
		panic(fmt.Sprintf("a value of %s cannot be made", v.Type()))
	}
}
