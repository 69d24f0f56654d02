package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

var null = []byte("null")

// Text is a string property; the empty value is null on the wire. Numbers and
// booleans are read as their text, as MidoNet does.
type Text string

// MarshalJSON writes null for the empty value.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return null, nil
	}
	return json.Marshal(string(t))
}

// UnmarshalJSON reads any scalar.
func (t *Text) UnmarshalJSON(data []byte) error {
	s, err := scalar(data)
	if err != nil {
		return err
	}
	*t = Text(s)
	return nil
}

// Int is a whole number; null and the empty string are read as 0, a number in
// quotes as that number.
type Int int64

// UnmarshalJSON reads a number, a number in quotes, or null.
func (i *Int) UnmarshalJSON(data []byte) error {
	s, err := scalar(data)
	if err != nil {
		return err
	}
	if s == "" {
		*i = 0
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a whole number", clip(s))
	}
	*i = Int(n)
	return nil
}

// Bool is a flag; null and the empty string are read as false.
type Bool bool

// UnmarshalJSON reads a boolean, a boolean in quotes, or null.
func (b *Bool) UnmarshalJSON(data []byte) error {
	s, err := scalar(data)
	if err != nil {
		return err
	}
	switch s {
	case "true":
		*b = true
	case "false", "":
		*b = false
	default:
		return fmt.Errorf("%q is not true or false", clip(s))
	}
	return nil
}

// scalar returns the text of a JSON string, number, boolean or null ("").
func scalar(data []byte) (string, error) {
	switch {
	case bytes.Equal(data, null):
		return "", nil
	case len(data) > 0 && data[0] == '"':
		var s string
		err := json.Unmarshal(data, &s)
		return s, err
	case len(data) > 0 && (data[0] == '{' || data[0] == '['):
		return "", fmt.Errorf("%s where a single value is wanted", map[byte]string{'{': "an object", '[': "a list"}[data[0]])
	}
	return string(data), nil
}

func clip(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
