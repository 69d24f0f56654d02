package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/moatnet/moat/sdn"
)

// MaxDepth is how deeply the JSON of a request may nest. The deepest body of
// the dialect, a rule with NAT targets, nests three levels.
const MaxDepth = 32

// Decode reads one JSON object into v, a pointer to a struct that holds the
// defaults. Unknown properties are ignored. The error wraps sdn.ErrInvalid.
func Decode(data []byte, v any) error {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return fmt.Errorf("the body is not a JSON object: %w", sdn.ErrInvalid)
	}
	if !utf8.Valid(trimmed) {
		return fmt.Errorf("the body is not UTF-8: %w", sdn.ErrInvalid)
	}
	if deeper(trimmed, MaxDepth) {
		return fmt.Errorf("the JSON of the body nests more than %d levels: %w", MaxDepth, sdn.ErrInvalid)
	}
	if err := json.Unmarshal(trimmed, v); err != nil {
		return fmt.Errorf("the JSON of the body cannot be read: %s: %w", explain(err), sdn.ErrInvalid)
	}
	return nil
}

// deeper reports whether objects and lists nest more than most levels.
func deeper(data []byte, most int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > most {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// explain words an error of encoding/json without the names of Go's types.
func explain(err error) string {
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("%s at byte %d", syntax.Error(), syntax.Offset)
	case errors.As(err, &typed):
		return fmt.Sprintf("property %q does not take a %s", typed.Field, typed.Value)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	}
	return err.Error()
}
