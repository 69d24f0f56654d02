package cniconf

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// DefaultSocket is where the daemon listens unless told otherwise.
const DefaultSocket = "/run/moat/moat.sock"

const (
	// Current is the newest version of the specification that is spoken here.
	Current = "1.1.0"
	// undeclared is the version of a configuration that names none.
	undeclared = "0.1.0"
)

// Versions are those of the specification that Moat speaks.
func Versions() []string {
	return []string{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}
}

// Head is what the plugins themselves need of a network configuration; the rest
// is the daemon's.
type Head struct {
	CNIVersion string `json:"cniVersion"`
	Name       string `json:"name"`
	Socket     string `json:"socket"`
	Standalone bool   `json:"standalone"`
	IPAM       struct {
		Socket string `json:"socket"` // the IPAM plugin's own
	} `json:"ipam"`
}

// ReadHead reads the head of a configuration and checks it for the command:
// JSON, name, version, in this order, as the reference library does.
func ReadHead(command string, stdin []byte) (Head, *Error) {
	h := Head{Socket: DefaultSocket}
	if err := json.Unmarshal(stdin, &h); err != nil {
		return h, &Error{Code: CodeDecode, Msg: "network configuration: " + Unreadable(err),
			Details: "a JSON object is expected on standard input"}
	}
	h.CNIVersion = orElse(h.CNIVersion, undeclared)
	switch {
	case h.Name == "":
		return h, configError(h, "missing network name", `give the network configuration a "name"`)
	case !validName(h.Name):
		return h, configError(h, fmt.Sprintf("invalid characters in network name %q", h.Name),
			`a name starts with a letter or digit and goes on with letters, digits, "_", "." and "-"`)
	case len(h.Socket) > 0 && h.Socket[0] != '/':
		return h, configError(h, fmt.Sprintf("socket %q is no absolute path", h.Socket), `correct the key "socket"`)
	}
	return h, h.allows(command)
}

// Unreadable says what is wrong with JSON that could not be read, in the words of
// who wrote it.
func Unreadable(err error) string {
	var kind *json.UnmarshalTypeError
	if !errors.As(err, &kind) {
		return err.Error()
	}
	where := "it"
	if kind.Field != "" {
		where = fmt.Sprintf("key %q", kind.Field)
	}
	return fmt.Sprintf("%s is of the wrong type: %s", where, kind.Value)
}

// since is the first version of the specification that has a command.
func since(command string) string {
	switch command {
	case Check:
		return "0.4.0"
	case GC, Status:
		return "1.1.0"
	default:
		return Versions()[0]
	}
}

func (h Head) allows(command string) *Error {
	at := slices.Index(Versions(), h.CNIVersion)
	if at < 0 {
		return versionError("incompatible CNI versions",
			fmt.Sprintf("config is %q, plugin supports [%s]", h.CNIVersion, strings.Join(Versions(), " ")))
	}
	if first := since(command); at < slices.Index(Versions(), first) {
		e := versionError("config version does not allow "+command,
			fmt.Sprintf("config is %q, %s came with %q", h.CNIVersion, command, first))
		e.CNIVersion = h.CNIVersion
		return e
	}
	return nil
}

func versionError(msg, details string) *Error {
	return &Error{CNIVersion: Current, Code: CodeVersion, Msg: msg, Details: details}
}

func configError(h Head, msg, details string) *Error {
	return &Error{CNIVersion: h.CNIVersion, Code: CodeConfig, Msg: msg, Details: details}
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
